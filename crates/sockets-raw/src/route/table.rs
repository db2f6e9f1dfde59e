//! The machine's routes at one moment, for many addresses.

use std::collections::HashMap;
use std::net::IpAddr;

use super::message::{self, Found, Verdict};
use super::prefix::PrefixTable;
use super::{Route, RouteError, RouteKind, kernel, rules};
use crate::rtnetlink::{QueryError, Rtnetlink, family, kind};
use crate::{Interface, InterfaceAddress};

/// Loopback's index in every network namespace (`LOOPBACK_IFINDEX` in include/net/flow.h).
pub(super) const LOOPBACK: u32 = 1;

/// The machine's routes, read once, and asked as often as one likes.
///
/// Answers are those of [`Route::to`] at the moment of [`RouteTable::load`], found in user space
/// by the longest matching prefix. The kernel is asked for single addresses only where the tables
/// do not tell everything: with policy rules beside the usual three, routes by several next hops,
/// by type of service or by source, for multicast and link-local addresses, for the source address
/// of a route that prefers none (once per route; over IPv6 each time where its interface has
/// several addresses to choose from), and above [`RouteTable::MOST_ROUTES`].
/// [`questions`](RouteTable::questions) counts.
#[derive(Debug)]
pub struct RouteTable {
    netlink: Rtnetlink,
    links: HashMap<u32, Link>,
    ipv4: Option<Tables>,
    ipv6: Option<Tables>,
    questions: u64,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    mtu: u32,
    /// RFC 6724 has no choice: one address of global scope, in use.
    has_one_ipv6_source: bool,
}

/// The tables of the usual rules.
#[derive(Debug, Default)]
struct Tables {
    local: PrefixTable<Found>,
    main: PrefixTable<Found>,
    default: PrefixTable<Found>,
}

impl RouteTable {
    /// How many routes of one family are held; where there are more, the kernel is asked each time.
    pub const MOST_ROUTES: usize = 1 << 18;

    /// Reads the routes.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn load() -> Result<Self, QueryError> {
        let mut table = Self {
            netlink: Rtnetlink::open(super::WHAT)?,
            links: HashMap::new(),
            ipv4: None,
            ipv6: None,
            questions: 0,
        };
        table.refresh()?;
        Ok(table)
    }

    /// Reads the routes again. After an error, some of what was known before is still there.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn refresh(&mut self) -> Result<(), QueryError> {
        let interfaces = Interface::dump(&mut self.netlink)?;
        self.links = interfaces.iter().map(|found| (found.index, Link::of(found))).collect();
        self.ipv4 = tables(&mut self.netlink, family::IPV4)?;
        self.ipv6 = tables(&mut self.netlink, family::IPV6)?;
        Ok(())
    }

    /// The route to `address`.
    ///
    /// # Errors
    ///
    /// [`RouteError`], as [`Route::to`].
    pub fn route(&mut self, address: IpAddr) -> Result<Route, RouteError> {
        let tables = match address {
            IpAddr::V4(_) => &mut self.ipv4,
            IpAddr::V6(_) => &mut self.ipv6,
        };
        let Some(tables) = tables.as_mut().filter(|_| is_usual(address)) else {
            return self.ask(address);
        };
        let Some(found) = tables.find(address) else {
            return Err(RouteError::NoRoute { address });
        };
        let needs_source = found.verdict == Verdict::To(RouteKind::Unicast)
            && (found.source.is_none() || found.interface.is_none());
        if !found.is_conditional && !needs_source {
            let link = found.link().and_then(|interface| self.links.get(&interface));
            return found.route(address, link.map(|link| link.mtu));
        }
        let known = found.clone();
        let route = self.ask(address)?;
        let one_source = address.is_ipv4()
            || self.links.get(&route.interface).is_some_and(|link| link.has_one_ipv6_source);
        let same_way = known.interface == Some(route.interface) && known.next_hop == route.next_hop;
        if needs_source && !known.is_conditional && one_source && same_way {
            self.remember_source(&route);
        }
        Ok(route)
    }

    /// The route to `address` as a socket takes it that is bound to the interface with this index, to this
    /// address of the machine, or to both. The kernel is asked each time, over the socket that the table
    /// holds; see [`Route::through`] for what it counts as on the link.
    ///
    /// # Errors
    ///
    /// [`RouteError`], as [`Route::through`].
    pub fn route_from(
        &mut self,
        address: IpAddr,
        interface: Option<u32>,
        source: Option<IpAddr>,
    ) -> Result<Route, RouteError> {
        self.questions += 1;
        let found = kernel::ask(&mut self.netlink, address, interface, source)?;
        let link = found.link().and_then(|interface| self.links.get(&interface));
        found.route(address, link.map(|link| link.mtu))
    }

    /// How many times the kernel was asked for a single address.
    pub const fn questions(&self) -> u64 {
        self.questions
    }

    fn ask(&mut self, address: IpAddr) -> Result<Route, RouteError> {
        self.route_from(address, None, None)
    }

    fn remember_source(&mut self, route: &Route) {
        let tables = match route.destination {
            IpAddr::V4(_) => &mut self.ipv4,
            IpAddr::V6(_) => &mut self.ipv6,
        };
        if let Some(found) = tables.as_mut().and_then(|tables| tables.find(route.destination)) {
            found.source = Some(route.source);
        }
    }
}

impl Link {
    fn of(interface: &Interface) -> Self {
        let is_source = |found: &&InterfaceAddress| match found.address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        };
        let mut sources = interface.addresses.iter().filter(is_source);
        let only = match (sources.next(), sources.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        let in_use = only.is_some_and(|only| !only.is_deprecated && !only.is_tentative);
        Self { mtu: interface.mtu, has_one_ipv6_source: in_use }
    }
}

impl Tables {
    /// The first table that has an answer gives it.
    fn find(&mut self, address: IpAddr) -> Option<&mut Found> {
        [&mut self.local, &mut self.main, &mut self.default]
            .into_iter()
            .filter_map(|table| table.longest(address))
            .find(|found| found.verdict != Verdict::Throw)
    }

    fn insert(&mut self, found: Found) {
        let table = match found.table {
            rules::LOCAL => &mut self.local,
            rules::MAIN => &mut self.main,
            rules::DEFAULT => &mut self.default,
            // No usual rule leads there.
            _ => return,
        };
        let Some(destination) = found.destination.filter(|_| !found.is_idle) else { return };
        match table.exact(destination, found.prefix_length) {
            // A route by type of service or by source stands beside the plain one.
            Some(held) if held.is_conditional || found.is_conditional => held.is_conditional = true,
            Some(held) if held.metric == found.metric => held.is_conditional = true,
            Some(held) if held.metric < found.metric => {}
            _ => table.insert(destination, found.prefix_length, found),
        }
    }
}

/// Whether the tables alone say where an address is: the kernel treats these in its own ways.
const fn is_usual(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !(address.is_unspecified() || address.is_multicast() || address.is_broadcast())
        }
        IpAddr::V6(address) => {
            !(address.is_unspecified() || address.is_multicast() || address.is_unicast_link_local())
        }
    }
}

/// The routes of a family, or `None` where the kernel has to be asked each time.
fn tables(netlink: &mut Rtnetlink, family: u8) -> Result<Option<Tables>, QueryError> {
    if !rules::are_usual(netlink, family)? {
        return Ok(None);
    }
    let mut request = [0; message::HEADER];
    request[0] = family;
    let (mut tables, mut count) = (Tables::default(), 0);
    netlink.dump("the routes", kind::GET_ROUTE, &request, |answer| match answer {
        None => (tables, count) = (Tables::default(), 0),
        Some(answer) => {
            if let Some(found) = message::read(&answer) {
                count += 1;
                if count <= RouteTable::MOST_ROUTES {
                    tables.insert(found);
                }
            }
        }
    })?;
    Ok((count <= RouteTable::MOST_ROUTES).then_some(tables))
}
