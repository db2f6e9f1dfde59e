//! The registry against a naive model: a list of rows, addresses as sets of concrete addresses.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::{PortRange, Transport};

const FLOOR: u16 = 3;
const DYNAMIC: (u16, u16) = (5, 10);
const PORTS: u16 = 12;
const CLAIM_LIMIT: u32 = 14;
const FOREIGN_LIMIT: u32 = 5;
const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Udp];

/// Each address and the concrete addresses it stands for, a bit each: `127.0.0.1`, `127.0.0.2`,
/// another IPv4 address; `::1`, `::2`, `fe80::1` on interface 1, on 2, on another; another IPv6
/// address.
const ADDRESSES: [(&str, u16); 11] = [
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
struct Place {
    transport: Transport,
    address: usize,
    port: u16,
}

impl Place {
    fn set(self) -> u16 {
        ADDRESSES[self.address].1
    }

    fn address(self) -> ClaimAddress {
        let text = ADDRESSES[self.address].0;
        text.parse::<SocketAddr>().map_or(ClaimAddress::ipv6_only(), ClaimAddress::from)
    }
}

#[derive(Clone, Copy, Debug)]
enum Wish {
    Any,
    Exact,
    Preferred,
}

#[derive(Clone, Copy, Debug)]
enum Step {
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

fn step() -> impl Strategy<Value = Step> {
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

#[derive(Default)]
struct Model {
    privileged: bool,
    claims: Vec<Place>,
    marks: Vec<Place>,
    marks_refused: u64,
}

impl Model {
    fn held_by(rows: &[Place], place: Place) -> bool {
        rows.iter().any(|row| {
            (row.transport, row.port) == (place.transport, place.port)
                && row.set() & place.set() != 0
        })
    }

    fn room(&self, transport: Transport) -> usize {
        let held = self.claims.iter().filter(|row| row.transport == transport).count();
        CLAIM_LIMIT as usize - held
    }

    fn allowed(&self, port: u16) -> bool {
        port != 0 && (self.privileged || port >= FLOOR)
    }

    /// Whether the `count` ports from the place's on can be had.
    fn can_claim(&self, place: Place, count: usize, ignore_foreign: bool) -> bool {
        count <= self.room(place.transport)
            && (place.port..).take(count).all(|port| {
                let place = Place { port, ..place };
                self.allowed(port)
                    && !Self::held_by(&self.claims, place)
                    && (ignore_foreign || !Self::held_by(&self.marks, place))
            })
    }

    /// The first ports of all runs of the range that can be had.
    fn runs(&self, place: Place, (first, last): (u16, u16), count: usize) -> Vec<u16> {
        (first..=last)
            .filter(|port| usize::from(*port) + count - 1 <= usize::from(last))
            .filter(|port| self.can_claim(Place { port: *port, ..place }, count, false))
            .collect()
    }

    fn is_available(&self, place: Place) -> bool {
        self.can_claim(place, 1, false)
    }
}

struct Pair {
    registry: PortRegistry,
    /// In the order of the model's claims.
    claims: Vec<PortClaim>,
    model: Model,
}

impl Pair {
    fn new(privileged: bool, seed: u64) -> Self {
        let registry = PortRegistry::builder()
            .dynamic_range(PortRange::new(DYNAMIC.0, DYNAMIC.1).unwrap())
            .privileged_below(FLOOR)
            .privileged(privileged)
            .claim_limit(CLAIM_LIMIT)
            .foreign_limit(FOREIGN_LIMIT)
            .seed(seed)
            .build();
        Self { registry, claims: Vec::new(), model: Model { privileged, ..Model::default() } }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Claim { place, wish, range, ignore_foreign, count } => {
                self.claim(place, wish, range, ignore_foreign, count)?;
            }
            Step::Release(index) if !self.claims.is_empty() => {
                let index = index % self.claims.len();
                self.model.claims.remove(index);
                self.claims.remove(index).release();
            }
            Step::Release(_) => {}
            Step::Adopt(place) => self.adopt(place)?,
            Step::Mark(place) => self.mark(place)?,
            Step::Clear(place) => {
                let Place { transport, port, .. } = place;
                let cleared = self.registry.clear_foreign(transport, place.address(), port);
                prop_assert_eq!(cleared, self.clear_in_model(place));
            }
        }
        Ok(())
    }

    fn claim(
        &mut self,
        place: Place,
        wish: Wish,
        range: Option<(u16, u16)>,
        ignore_foreign: bool,
        count: usize,
    ) -> Result<(), TestCaseError> {
        let mut request = ClaimRequest::new(place.transport).address(place.address());
        if let Some((first, last)) = range {
            request = request.within(PortRange::new(first, last).unwrap());
        }
        if ignore_foreign {
            request = request.ignore_foreign();
        }
        request = match wish {
            Wish::Any => request,
            Wish::Exact => request.exact(place.port),
            Wish::Preferred => request.preferred(place.port),
        };
        let result = if count == 1 {
            self.registry.claim(&request).map(|claim| vec![claim])
        } else {
            self.registry.claim_run(&request, count)
        };
        if count == 0 {
            prop_assert_eq!(result.map(|claims| claims.len()), Ok(0));
            return Ok(());
        }

        let named = self.model.can_claim(place, count, ignore_foreign);
        let runs = self.model.runs(place, range.unwrap_or(DYNAMIC), count);
        let expected = match wish {
            Wish::Exact | Wish::Preferred if named => vec![place.port],
            Wish::Preferred if place.port != 0 => runs,
            Wish::Exact | Wish::Preferred => Vec::new(),
            Wish::Any => runs,
        };
        match result {
            Ok(claims) => {
                let first = claims[0].port().number();
                prop_assert!(expected.contains(&first), "{} is not of {:?}", first, expected);
                prop_assert_eq!(claims.len(), count);
                for (claim, port) in claims.into_iter().zip(first..) {
                    prop_assert_eq!(claim.port().number(), port);
                    self.model.claims.push(Place { port, ..place });
                    self.claims.push(claim);
                }
            }
            Err(error) => prop_assert!(expected.is_empty(), "{error}, not one of {:?}", expected),
        }
        Ok(())
    }

    fn adopt(&mut self, place: Place) -> Result<(), TestCaseError> {
        let Place { transport, port, .. } = place;
        let result = self.registry.adopt(transport, place.address(), port, "adopted");
        let expected = port != 0
            && !Model::held_by(&self.model.claims, place)
            && self.model.room(transport) > 0;
        prop_assert_eq!(result.is_ok(), expected);
        if let Ok(claim) = result {
            self.clear_in_model(place);
            self.model.claims.push(place);
            self.claims.push(claim);
        }
        Ok(())
    }

    fn mark(&mut self, place: Place) -> Result<(), TestCaseError> {
        let Place { transport, port, .. } = place;
        let marks = &mut self.model.marks;
        let same =
            |row: &Place| (row.transport, row.port, row.set()) == (transport, port, place.set());
        let of_transport = marks.iter().filter(|row| row.transport == transport).count();
        let known = marks.iter().any(same);
        let room = of_transport < FOREIGN_LIMIT as usize;
        if port != 0 && !known && room {
            marks.push(place);
        }
        self.model.marks_refused += u64::from(port != 0 && !known && !room);
        let marked = self.registry.mark_foreign(transport, place.address(), port);
        prop_assert_eq!(marked, port != 0 && (known || room));
        Ok(())
    }

    fn clear_in_model(&mut self, place: Place) -> usize {
        let before = self.model.marks.len();
        self.model.marks.retain(|row| {
            (row.transport, row.port) != (place.transport, place.port)
                || row.set() & !place.set() != 0
        });
        before - self.model.marks.len()
    }

    fn compare_everything(&self) -> Result<(), TestCaseError> {
        for transport in TRANSPORTS {
            for (address, port) in
                (0..ADDRESSES.len()).flat_map(|a| (0..=PORTS).map(move |p| (a, p)))
            {
                let place = Place { transport, address, port };
                let available = self.registry.is_available(transport, place.address(), port);
                prop_assert_eq!(available, self.model.is_available(place), "{:?}", place);
                // "Any" of one port goes by the bit trees instead of the port's holders.
                let request = ClaimRequest::new(transport).address(place.address());
                let any = self.registry.claim(&request.within(PortRange::single(port.into())));
                prop_assert_eq!(any.is_ok(), available, "{:?}", place);
            }
        }
        self.compare_lists()
    }

    fn compare_lists(&self) -> Result<(), TestCaseError> {
        let snapshot = self.registry.snapshot();
        let mut claims: Vec<_> = snapshot
            .claims
            .iter()
            .map(|record| (record.transport, record.port.number(), record.address))
            .collect();
        let mut marks: Vec<_> = snapshot
            .foreign
            .iter()
            .map(|record| (record.transport, record.port.number(), record.address))
            .collect();
        claims.sort_unstable();
        marks.sort_unstable();
        prop_assert_eq!(claims, sorted(&self.model.claims));
        prop_assert_eq!(marks, sorted(&self.model.marks));
        prop_assert_eq!(snapshot.foreign_refused, self.model.marks_refused);
        prop_assert_eq!((snapshot.claims_omitted, snapshot.foreign_omitted), (0, 0));

        let status = self.registry.status();
        for of in status.transports.iter().take(TRANSPORTS.len()) {
            let rows = self.model.claims.iter().chain(&self.model.marks);
            let held: Vec<_> =
                rows.filter(|row| row.transport == of.transport).map(|row| row.port).collect();
            let free = (DYNAMIC.0..=DYNAMIC.1).filter(|port| !held.contains(port)).count();
            prop_assert_eq!(of.free_dynamic as usize, free);
            prop_assert_eq!(of.used.len(), held.len());
        }
        Ok(())
    }
}

fn sorted(rows: &[Place]) -> Vec<(Transport, u16, ClaimAddress)> {
    let mut rows: Vec<_> =
        rows.iter().map(|row| (row.transport, row.port, row.address())).collect();
    rows.sort_unstable();
    rows
}

proptest! {
    #[test]
    fn agrees_with_the_naive_model(
        privileged in any::<bool>(),
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut pair = Pair::new(privileged, seed);
        for step in steps {
            pair.take(step)?;
            pair.compare_lists()?;
        }
        pair.compare_everything()?;
        pair.claims.clear();
        pair.model.claims.clear();
        pair.compare_everything()?;
    }
}
