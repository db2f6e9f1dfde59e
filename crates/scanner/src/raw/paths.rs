//! How packets get to a target: from which address, by which interface, through whom.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sockets_raw::{Interface, InterfaceKind, Route, RouteError, RouteKind, RouteTable};

use super::neighbours::{EthernetAddress, Hop};
use crate::engine::LocalError;
use crate::prober::ProbeError;

/// What was read of the interfaces is taken as true for so long, and for so many times as long as the
/// reading takes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOK_COSTS_AT_MOST: u32 = 20;
/// What was sent so long before a link was seen without a carrier may have been lost to that: as long as
/// an attempt waits at most by default.
const DOWN_HOLDS: Duration = Duration::from_secs(1);
/// Single addresses that the kernel was asked for, and whose routes are remembered.
const MOST_ASKED: usize = 1 << 16;

/// The way to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// Where probes say they come from.
    pub(crate) source: IpAddr,
    /// Where they leave.
    pub(crate) interface: u32,
    pub(crate) way: Way,
}

/// How a packet is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the kernel's own IP: an address of this machine, which the loopback interface takes only
    /// from there, or a link that is not understood here or where nobody is asked.
    Kernel,
    /// To an interface whose link has no addresses.
    LinkLess,
    /// To an interface, for the neighbour `hop`.
    Ethernet { hop: Hop, own: EthernetAddress },
}

/// Finds paths. One for each worker: nothing is locked.
#[derive(Debug)]
pub(crate) struct Paths {
    routes: RouteTable,
    interfaces: Vec<Interface>,
    /// The one interface to use, where the user named one.
    only: Option<u32>,
    source: Option<IpAddr>,
    /// By `only` or from `source`: what the kernel said.
    asked: HashMap<IpAddr, Result<Route, LocalError>>,
    looked: Instant,
    look_every: Duration,
    /// When an interface was last seen down.
    down: HashMap<u32, Instant>,
}

impl Paths {
    /// Reads the machine's routes.
    pub(crate) fn load(only: Option<u32>, source: Option<IpAddr>) -> Result<Self, ProbeError> {
        let interfaces = Interface::all()
            .map_err(|error| ProbeError::of("read the interfaces")(std::io::Error::other(error)))?;
        let routes = RouteTable::load()
            .map_err(|error| ProbeError::of("read the routes")(std::io::Error::other(error)))?;
        let mut paths = Self {
            routes,
            interfaces,
            only,
            source,
            asked: HashMap::new(),
            looked: Instant::now(),
            look_every: LOOK_EVERY,
            down: HashMap::new(),
        };
        paths.note_down();
        Ok(paths)
    }

    /// Sees whether an interface has come or gone, if it is time to; then the routes are read again.
    pub(crate) fn look(&mut self, now: Instant) {
        if now.saturating_duration_since(self.looked) >= self.look_every {
            self.look_at_once(now);
        }
    }

    /// When it was looked last.
    pub(crate) const fn looked(&self) -> Instant {
        self.looked
    }

    /// The same, without waiting until it is time to.
    pub(crate) fn look_at_once(&mut self, now: Instant) {
        self.looked = now;
        // Where the kernel does not tell, what was known before holds.
        if let Ok(interfaces) = Interface::all() {
            if interfaces != self.interfaces {
                let _ = self.routes.refresh();
                self.asked.clear();
                self.interfaces = interfaces;
            }
            self.note_down();
        }
        self.look_every = LOOK_EVERY.max(now.elapsed() * LOOK_COSTS_AT_MOST);
    }

    fn note_down(&mut self) {
        let down = self.interfaces.iter().filter(|interface| !interface.is_up);
        self.down.extend(down.map(|interface| (interface.index, self.looked)));
    }

    /// Whether the interface is down, or has no carrier, or had none a moment ago.
    pub(crate) fn is_down(&self, now: Instant, interface: u32) -> bool {
        let seen = self.down.get(&interface);
        seen.is_some_and(|at| now.saturating_duration_since(*at) < self.look_every + DOWN_HOLDS)
    }

    /// The way to `target`, or why there is none.
    pub(crate) fn to(&mut self, target: IpAddr) -> Result<Path, LocalError> {
        let route = self.route(target)?;
        let source = self.source.unwrap_or(route.source);
        let way = match route.kind {
            RouteKind::Local => Way::Kernel,
            RouteKind::Unicast => self.over_link(&route)?,
            // Nobody answers a handshake with everybody.
            _ => return Err(LocalError::InvalidAddress),
        };
        Ok(Path { source, interface: route.interface, way })
    }

    /// Why nothing that goes to `target` can arrive by now: the way is gone, or its link is down.
    pub(crate) fn failure(&mut self, now: Instant, target: IpAddr) -> Result<Path, LocalError> {
        self.look(now);
        let path = self.to(target)?;
        if self.is_down(now, path.interface) {
            return Err(LocalError::NetworkDown);
        }
        Ok(path)
    }

    /// An IPv6 address of an interface to ask a neighbour from: a link-local one where there is one.
    pub(super) fn ipv6_source(&self, interface: u32) -> Option<IpAddr> {
        let addresses = &self.interface(interface)?.addresses;
        let usable = || addresses.iter().filter(|a| a.address.is_ipv6() && !a.is_tentative);
        let is_link_local =
            |address: IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let found = usable().find(|a| is_link_local(a.address)).or_else(|| usable().next())?;
        Some(found.address)
    }

    fn route(&mut self, target: IpAddr) -> Result<Route, LocalError> {
        let plain = self.routes.route(target).map_err(|error| cause_of(&error));
        let is_local = plain.is_ok_and(|route| route.is_local());
        if is_local || (self.only.is_none() && self.source.is_none()) {
            return plain;
        }
        if self.source.is_some_and(|source| source.is_loopback()) {
            // What says that it comes from loopback is of no other machine (RFC 1122 section 3.2.1.3).
            return Err(LocalError::NoSourceAddress);
        }
        if let Some(route) = self.asked.get(&target) {
            return *route;
        }
        let route = self.routes.route_from(target, self.only, self.source);
        let route = route.map_err(|error| cause_of(&error));
        if self.asked.len() >= MOST_ASKED {
            self.asked.clear();
        }
        self.asked.insert(target, route);
        route
    }

    fn over_link(&self, route: &Route) -> Result<Way, LocalError> {
        let interface = self.interface(route.interface).ok_or(LocalError::NoRoute)?;
        Ok(match (interface.kind, interface.link_address) {
            // It leads to this machine only, and the address is not of this machine.
            (InterfaceKind::Loopback, _) => return Err(LocalError::NoRoute),
            (InterfaceKind::LinkLess, _) => Way::LinkLess,
            (InterfaceKind::Ethernet, Some(own)) if interface.resolves_neighbours => {
                let hop = Hop { interface: route.interface, address: route.link_target() };
                Way::Ethernet { hop, own }
            }
            _ => Way::Kernel,
        })
    }

    fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.index == index)
    }
}

/// Each of these is this machine's doing.
const fn cause_of(error: &RouteError) -> LocalError {
    match error {
        RouteError::NoSource { .. } => LocalError::NoSourceAddress,
        RouteError::Prohibited { .. } => LocalError::NotPermitted,
        RouteError::Query { .. } => LocalError::Resources,
        // No route, or one that says no.
        _ => LocalError::NoRoute,
    }
}
