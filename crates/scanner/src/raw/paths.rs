//! How packets get to a target: from which address, by which interface, through whom.

use std::net::IpAddr;

use sockets_raw::{Interface, InterfaceKind, Route, RouteError, RouteKind, RouteTable};

use super::neighbours::{EthernetAddress, Hop};
use crate::engine::LocalError;
use crate::prober::ProbeError;

/// The way to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Where probes say they come from.
    pub(super) source: IpAddr,
    /// Where they leave.
    pub(super) interface: u32,
    pub(super) way: Way,
}

/// How a packet is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
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
pub(super) struct Paths {
    routes: RouteTable,
    interfaces: Vec<Interface>,
    /// The one interface to use, where the user named one.
    only: Option<u32>,
    source: Option<IpAddr>,
}

impl Paths {
    /// Reads the machine's routes.
    pub(super) fn load(only: Option<u32>, source: Option<IpAddr>) -> Result<Self, ProbeError> {
        let interfaces = Interface::all()
            .map_err(|error| ProbeError::of("read the interfaces")(std::io::Error::other(error)))?;
        let routes = RouteTable::load()
            .map_err(|error| ProbeError::of("read the routes")(std::io::Error::other(error)))?;
        Ok(Self { routes, interfaces, only, source })
    }

    /// The way to `target`, or why there is none.
    pub(super) fn to(&mut self, target: IpAddr) -> Result<Path, LocalError> {
        let route = self.route(target).map_err(|error| cause_of(&error))?;
        let source = self.source.unwrap_or(route.source);
        let way = match route.kind {
            RouteKind::Local => Way::Kernel,
            RouteKind::Unicast => self.over_link(&route)?,
            // Nobody answers a handshake with everybody.
            _ => return Err(LocalError::InvalidAddress),
        };
        Ok(Path { source, interface: route.interface, way })
    }

    /// The neighbour that packets to `target` go to, where they go to one.
    pub(super) fn hop_to(&mut self, target: IpAddr) -> Option<Hop> {
        match self.to(target).ok()?.way {
            Way::Ethernet { hop, .. } => Some(hop),
            Way::Kernel | Way::LinkLess => None,
        }
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

    fn route(&mut self, target: IpAddr) -> Result<Route, RouteError> {
        let Some(only) = self.only else { return self.routes.route(target) };
        match self.routes.route(target) {
            Ok(route) if route.interface == only || route.is_local() => Ok(route),
            _ => Route::through(target, only),
        }
    }

    fn over_link(&self, route: &Route) -> Result<Way, LocalError> {
        let interface = self.interface(route.interface).ok_or(LocalError::NoRoute)?;
        Ok(match (interface.kind, interface.link_address) {
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
