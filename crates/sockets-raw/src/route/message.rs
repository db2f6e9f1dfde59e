//! Routes in netlink messages (`struct rtmsg`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sockets_sys::{Attribute, Message};

use super::table::LOOPBACK;
use super::{Route, RouteError, RouteKind};
use crate::rtnetlink::{family, kind, split, word};

pub(super) const HEADER: usize = 12;

/// `RTA_*`
pub(super) mod attribute {
    pub(in crate::route) const DESTINATION: u16 = 1;
    pub(in crate::route) const SOURCE: u16 = 2;
    pub(in crate::route) const INTERFACE: u16 = 4;
    pub(super) const GATEWAY: u16 = 5;
    pub(super) const PRIORITY: u16 = 6;
    pub(super) const PREFERRED_SOURCE: u16 = 7;
    pub(super) const METRICS: u16 = 8;
    pub(super) const MULTIPATH: u16 = 9;
    pub(super) const CACHE_INFO: u16 = 12;
    pub(super) const TABLE: u16 = 15;
    pub(super) const VIA: u16 = 18;
    pub(super) const ENCAPSULATION: u16 = 22;
}
/// `RTAX_MTU`
const METRIC_MTU: u16 = 2;
/// `RTM_F_CLONED`: a cached exception, not a route somebody made.
const CLONED: u32 = 0x200;
/// `RTNH_F_DEAD`, `RTNH_F_LINKDOWN`
const DEAD: u32 = 1;
const LINK_DOWN: u32 = 16;
const ENETUNREACH: u32 = 101;

/// What a route does with a packet (`RTN_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    To(RouteKind),
    NoRoute,
    Unreachable,
    Prohibited,
    Blackhole,
    /// Look in the next table.
    Throw,
}

/// A route as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) verdict: Verdict,
    pub(super) destination: Option<IpAddr>,
    pub(super) prefix_length: u8,
    pub(super) table: u32,
    pub(super) metric: u32,
    pub(super) interface: Option<u32>,
    pub(super) next_hop: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    pub(super) mtu: Option<u32>,
    /// It depends on more than the destination: only the kernel can tell what it does.
    pub(super) is_conditional: bool,
    /// Not in force.
    pub(super) is_idle: bool,
}

impl Found {
    /// The interface that packets leave by: to this machine itself, always loopback.
    pub(super) const fn link(&self) -> Option<u32> {
        match self.verdict {
            Verdict::To(RouteKind::Local) => Some(LOOPBACK),
            _ => self.interface,
        }
    }

    /// The route to `address`, with `mtu` of its interface.
    pub(super) fn route(
        &self,
        address: IpAddr,
        interface_mtu: Option<u32>,
    ) -> Result<Route, RouteError> {
        let kind = match self.verdict {
            Verdict::To(kind) => kind,
            Verdict::Unreachable => return Err(RouteError::Unreachable { address }),
            Verdict::Prohibited => return Err(RouteError::Prohibited { address }),
            Verdict::Blackhole => return Err(RouteError::Blackhole { address }),
            Verdict::NoRoute | Verdict::Throw => return Err(RouteError::NoRoute { address }),
        };
        let (Some(interface), Some(interface_mtu)) = (self.link(), interface_mtu) else {
            return Err(RouteError::NoInterface { address });
        };
        let source = match (self.source, kind) {
            (Some(source), _) => source,
            // `net/ipv4/route.c`: without a preferred source a local address talks to itself.
            (None, RouteKind::Local) => address,
            (None, _) => return Err(RouteError::NoSource { address }),
        };
        let mtu = self.mtu.unwrap_or(interface_mtu);
        Ok(Route { destination: address, kind, interface, source, next_hop: self.next_hop, mtu })
    }
}

/// `None` for what is not a route of either family.
pub(super) fn read(message: &Message<'_>) -> Option<Found> {
    if message.kind != kind::NEW_ROUTE {
        return None;
    }
    let (header, attributes) = split::<HEADER>(message.payload)?;
    let [family, prefix_length, source_length, service, table, _, _, route_type, ..] = *header;
    if family != family::IPV4 && family != family::IPV6 {
        return None;
    }
    let flags = word(header, 8);
    let mut found = Found {
        verdict: verdict(route_type),
        destination: None,
        prefix_length,
        table: u32::from(table),
        metric: 0,
        interface: None,
        next_hop: None,
        source: None,
        mtu: None,
        is_conditional: source_length > 0 || service > 0 || flags & LINK_DOWN != 0,
        is_idle: flags & (CLONED | DEAD) != 0,
    };
    for attribute in attributes {
        match attribute.kind {
            attribute::DESTINATION => found.destination = attribute.ip(),
            attribute::INTERFACE => found.interface = attribute.u32(),
            attribute::GATEWAY => found.next_hop = attribute.ip(),
            attribute::VIA => found.next_hop = via(&attribute),
            attribute::PRIORITY => found.metric = attribute.u32()?,
            attribute::PREFERRED_SOURCE => found.source = attribute.ip(),
            attribute::METRICS => found.mtu = mtu(&attribute),
            attribute::TABLE => found.table = attribute.u32()?,
            attribute::MULTIPATH | attribute::ENCAPSULATION => found.is_conditional = true,
            // `struct rta_cacheinfo`: the fourth word is the error of a route that refuses.
            attribute::CACHE_INFO if found.verdict == Verdict::Unreachable => {
                let error = attribute.payload.get(12..).and_then(<[u8]>::first_chunk);
                if error.map(|error| u32::from_ne_bytes(*error).wrapping_neg()) == Some(ENETUNREACH)
                {
                    found.verdict = Verdict::NoRoute;
                }
            }
            _ => {}
        }
    }
    let nowhere = match family {
        family::IPV4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    // The default route names no destination.
    found.destination.get_or_insert(nowhere);
    Some(found)
}

const fn verdict(route_type: u8) -> Verdict {
    match route_type {
        1 => Verdict::To(RouteKind::Unicast),
        // An anycast address is one of this machine's, too.
        2 | 4 => Verdict::To(RouteKind::Local),
        3 => Verdict::To(RouteKind::Broadcast),
        5 => Verdict::To(RouteKind::Multicast),
        6 => Verdict::Blackhole,
        7 => Verdict::Unreachable,
        8 => Verdict::Prohibited,
        9 => Verdict::Throw,
        _ => Verdict::NoRoute,
    }
}

/// A next hop of another family than the destination: two bytes of family, then the address.
fn via(attribute: &Attribute<'_>) -> Option<IpAddr> {
    Attribute { kind: attribute.kind, payload: attribute.payload.get(2..)? }.ip()
}

fn mtu(metrics: &Attribute<'_>) -> Option<u32> {
    metrics.nested().find(|metric| metric.kind == METRIC_MTU)?.u32().filter(|mtu| *mtu > 0)
}
