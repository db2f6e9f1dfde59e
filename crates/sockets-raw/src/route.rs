//! Routes: which interface, source address and next hop lead to an address.

mod error;
mod kernel;
mod message;
mod prefix;
mod rules;
mod table;

use std::net::IpAddr;

use crate::Interface;
use crate::rtnetlink::Rtnetlink;

pub use error::RouteError;
pub use table::RouteTable;

pub(crate) const WHAT: &str = "a route";

/// The way from this machine to an address.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// use sockets_raw::Route;
///
/// let route = Route::to(IpAddr::V4(Ipv4Addr::LOCALHOST))?;
/// assert!(route.is_local());
/// assert_eq!(route.source, IpAddr::V4(Ipv4Addr::LOCALHOST));
/// # Ok::<(), sockets_raw::RouteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Route {
    /// Where it leads.
    pub destination: IpAddr,
    /// What kind of address that is.
    pub kind: RouteKind,
    /// The index of the interface that packets leave by; loopback's for an address of this machine,
    /// whichever interface holds it.
    pub interface: u32,
    /// The address to send from: the route's preferred one, or the kernel's choice.
    pub source: IpAddr,
    /// The router in between; `None`: the destination is on the link.
    pub next_hop: Option<IpAddr>,
    /// The largest packet that the route takes at its beginning, in bytes from the network header on.
    pub mtu: u32,
}

/// What kind of address a route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteKind {
    /// One other machine.
    Unicast,
    /// This machine: packets go by loopback, whatever interface holds the address.
    Local,
    /// Every machine of a link.
    Broadcast,
    /// A group of machines.
    Multicast,
}

impl Route {
    /// The route the kernel takes to `address` now.
    ///
    /// For many addresses see [`RouteTable`]: this opens a socket for each call.
    ///
    /// # Errors
    ///
    /// [`RouteError`]; a route that says no is told from no route.
    pub fn to(address: IpAddr) -> Result<Self, RouteError> {
        Self::find(address, None)
    }

    /// The route to `address` by the interface with this index, as a socket bound to it takes: what
    /// IPv6 link-local addresses need, which every link has.
    ///
    /// Over IPv4 the kernel counts every address as on the link where no route of the interface
    /// leads to it.
    ///
    /// # Errors
    ///
    /// [`RouteError`].
    pub fn through(address: IpAddr, interface: u32) -> Result<Self, RouteError> {
        Self::find(address, Some(interface))
    }

    fn find(address: IpAddr, interface: Option<u32>) -> Result<Self, RouteError> {
        let query = |source| RouteError::Query { address, source };
        let mut netlink = Rtnetlink::open(WHAT).map_err(query)?;
        let found = kernel::ask(&mut netlink, address, interface, None)?;
        let interfaces = Interface::dump(&mut netlink).map_err(query)?;
        let link = interfaces.iter().find(|known| Some(known.index) == found.link());
        found.route(address, link.map(|interface| interface.mtu))
    }

    /// Whether the destination is this machine.
    pub fn is_local(&self) -> bool {
        self.kind == RouteKind::Local
    }

    /// Who is asked on the link for a packet to the destination: the router, or the destination.
    pub fn link_target(&self) -> IpAddr {
        self.next_hop.unwrap_or(self.destination)
    }
}

#[cfg(test)]
mod tests;
