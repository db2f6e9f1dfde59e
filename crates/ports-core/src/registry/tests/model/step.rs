//! What is asked of a registry: where, and what.

use std::net::SocketAddr;

use super::*;

/// Each address and the concrete addresses it stands for, a bit each: `127.0.0.1`, `127.0.0.2`,
/// another IPv4 address; `::1`, `::2`, `fe80::1` on interface 1, on 2, on another; another IPv6
/// address.
pub(super) const ADDRESSES: [(&str, u16); 11] = [
    ("[::]:0", 0b1_1111_1111),
    ("0.0.0.0:0", 0b0_0000_0111),
    ("v6only", 0b1_1111_1000),
    ("127.0.0.1:0", 0b0_0000_0001),
    ("[::ffff:127.0.0.1]:0", 0b0_0000_0001),
    ("127.0.0.2:0", 0b0_0000_0010),
    ("[::1]:0", 0b0_0000_1000),
    ("[::2]:0", 0b0_0001_0000),
    ("[fe80::1]:0", 0b0_1110_0000),
    ("[fe80::1%1]:0", 0b0_0010_0000),
    ("[fe80::1%2]:0", 0b0_0100_0000),
];

#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) transport: Transport,
    pub(super) address: usize,
    pub(super) port: u16,
}

impl Place {
    pub(super) fn set(self) -> u16 {
        ADDRESSES[self.address].1
    }

    pub(super) fn address(self) -> ClaimAddress {
        let text = ADDRESSES[self.address].0;
        text.parse::<SocketAddr>().map_or(ClaimAddress::ipv6_only(), ClaimAddress::from)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Any,
    Exact,
    Preferred,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The port of the place is that of the wish.
    Claim {
        place: Place,
        wish: Wish,
        range: Option<(u16, u16)>,
        ignore_foreign: bool,
        count: usize,
    },
    Release(usize),
    Adopt(Place),
    Mark(Place),
    Clear(Place),
}

fn place() -> impl Strategy<Value = Place> {
    (0..TRANSPORTS.len(), 0..ADDRESSES.len(), 0..=PORTS).prop_map(|(transport, address, port)| {
        Place { transport: TRANSPORTS[transport], address, port }
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let wish = prop_oneof![Just(Wish::Any), Just(Wish::Exact), Just(Wish::Preferred)];
    let range = prop::option::of((0..=PORTS, 0..=PORTS))
        .prop_map(|ends| ends.map(|(one, two)| (one.min(two), one.max(two))));
    let count = prop_oneof![6 => Just(1usize), 1 => Just(0), 2 => 2usize..5];
    prop_oneof![
        6 => (place(), wish, range, any::<bool>(), count).prop_map(
            |(place, wish, range, ignore_foreign, count)| {
                Step::Claim { place, wish, range, ignore_foreign, count }
            }
        ),
        3 => any::<usize>().prop_map(Step::Release),
        1 => place().prop_map(Step::Adopt),
        1 => place().prop_map(Step::Mark),
        1 => place().prop_map(Step::Clear),
    ]
}
