//! Which sockets are asked for, and how much of each.

use std::net::{IpAddr, SocketAddr};

use ports_core::PortSet;

use super::row::Row;
use super::{Protocol, StateSet};

/// Where the sockets are read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `sock_diag`; `/proc/net` for a protocol that the kernel or a sandbox does not tell there.
    #[default]
    Auto,
    /// `sock_diag` only (`sock_diag(7)`).
    Netlink,
    /// `/proc/net` only: slower, without cookies, cgroups, details and bound TCP sockets. While
    /// sockets come and go, the kernel may leave others out there.
    Proc,
}

/// Which sockets are asked for, and how much of each. All filters must hold.
///
/// Filters on protocol, state, port and address are applied by the kernel where it can.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Query {
    tcp: bool,
    udp: bool,
    raw: bool,
    unix: bool,
    ipv4: bool,
    ipv6: bool,
    states: StateSet,
    pub(super) ports: PortFilters,
    address: Option<IpAddr>,
    interface: Option<u32>,
    processes: bool,
    cgroups: bool,
    traffic: bool,
    details: bool,
    source: Source,
}

/// Filters on ports; `None` lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PortFilters {
    pub(super) local: Option<PortSet>,
    pub(super) peer: Option<PortSet>,
    pub(super) either: Option<PortSet>,
}

impl PortFilters {
    fn is_empty(&self) -> bool {
        self.local.is_none() && self.peer.is_none() && self.either.is_none()
    }
}

impl Query {
    /// No protocol: to be followed by [`with_tcp`](Self::with_tcp) and so on. IPv4 and IPv6, every
    /// state, no processes, cgroups, traffic or details.
    pub const fn none() -> Self {
        Self {
            tcp: false,
            udp: false,
            raw: false,
            unix: false,
            ipv4: true,
            ipv6: true,
            states: StateSet::ALL,
            ports: PortFilters { local: None, peer: None, either: None },
            address: None,
            interface: None,
            processes: false,
            cgroups: false,
            traffic: false,
            details: false,
            source: Source::Auto,
        }
    }

    /// Whatever there is.
    #[cfg(target_os = "linux")]
    pub(super) const fn any() -> Self {
        Self::all().with_raw()
    }

    /// TCP, UDP and UNIX sockets.
    pub const fn all() -> Self {
        Self::none().with_tcp().with_udp().with_unix()
    }

    /// TCP sockets.
    pub const fn tcp() -> Self {
        Self::none().with_tcp()
    }

    /// UDP sockets.
    pub const fn udp() -> Self {
        Self::none().with_udp()
    }

    /// UNIX sockets.
    pub const fn unix() -> Self {
        Self::none().with_unix()
    }

    /// TCP sockets as well.
    pub const fn with_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// UDP sockets as well.
    pub const fn with_udp(mut self) -> Self {
        self.udp = true;
        self
    }

    /// Raw IP sockets as well.
    pub const fn with_raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Without the protocols that it asks for and that are not among these.
    #[cfg(target_os = "linux")]
    pub(super) fn only(mut self, is_kept: impl Fn(Protocol) -> bool) -> Self {
        self.tcp &= is_kept(Protocol::Tcp);
        self.udp &= is_kept(Protocol::Udp);
        self.raw &= is_kept(Protocol::Raw);
        self.unix &= is_kept(Protocol::UnixStream);
        self
    }

    /// UNIX sockets as well.
    pub const fn with_unix(mut self) -> Self {
        self.unix = true;
        self
    }

    /// IPv4 sockets or not; an IPv6 socket that speaks to IPv4 is an IPv6 socket.
    pub const fn ipv4(mut self, wanted: bool) -> Self {
        self.ipv4 = wanted;
        self
    }

    /// IPv6 sockets or not.
    pub const fn ipv6(mut self, wanted: bool) -> Self {
        self.ipv6 = wanted;
        self
    }

    /// Only sockets in one of these states.
    pub const fn states(mut self, states: StateSet) -> Self {
        self.states = states;
        self
    }

    /// Only sockets with a local port of this set. UNIX sockets have none.
    pub fn local_ports(mut self, ports: PortSet) -> Self {
        self.ports.local = Some(ports);
        self
    }

    /// Only sockets with a peer port of this set.
    pub fn peer_ports(mut self, ports: PortSet) -> Self {
        self.ports.peer = Some(ports);
        self
    }

    /// Only sockets with a port of this set at either end.
    pub fn ports(mut self, ports: PortSet) -> Self {
        self.ports.either = Some(ports);
        self
    }

    /// Only sockets with this address at either end. An IPv4 address is also found where an IPv6
    /// socket has it mapped (`::ffff:192.0.2.1`).
    pub const fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Only sockets bound to the interface with this index, or to none: not those bound to another one.
    /// UNIX sockets are bound to none; of others `/proc` does not tell.
    pub const fn interface(mut self, index: u32) -> Self {
        self.interface = Some(index);
        self
    }

    /// With the processes that hold each socket.
    pub const fn processes(mut self, wanted: bool) -> Self {
        self.processes = wanted;
        self
    }

    /// With the paths of the cgroups that the sockets were made in. Their numbers come anyway.
    pub const fn cgroups(mut self, wanted: bool) -> Self {
        self.cgroups = wanted;
        self
    }

    /// With the [`Traffic`](super::Traffic) of TCP sockets, which takes less than all details. By
    /// netlink only.
    pub const fn traffic(mut self, wanted: bool) -> Self {
        self.traffic = wanted;
        self
    }

    /// With [`Details`](super::Details): `TCP_INFO`, memory, drops; traffic is among them. By netlink
    /// only.
    pub const fn details(mut self, wanted: bool) -> Self {
        self.details = wanted;
        self
    }

    /// Where to read from.
    pub const fn source(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// Whether `protocol` is asked for.
    pub const fn wants(&self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp => self.udp,
            Protocol::Raw => self.raw,
            _ => self.unix,
        }
    }

    pub(super) const fn wants_states(&self) -> StateSet {
        self.states
    }

    pub(super) const fn wants_processes(&self) -> bool {
        self.processes
    }

    pub(super) const fn wants_cgroups(&self) -> bool {
        self.cgroups
    }

    pub(super) const fn wants_only_traffic(&self) -> bool {
        self.traffic && !self.details
    }

    pub(super) const fn wants_details(&self) -> bool {
        self.details
    }

    pub(super) const fn wants_ipv4(&self) -> bool {
        self.ipv4
    }

    pub(super) const fn wants_ipv6(&self) -> bool {
        self.ipv6
    }

    pub(super) const fn wants_address(&self) -> Option<IpAddr> {
        self.address
    }

    pub(super) const fn reads(&self) -> Source {
        self.source
    }

    /// Whether a row is asked for: what the kernel filters is filtered again, so that an older
    /// kernel and `/proc` give the same rows.
    pub(super) fn matches(&self, row: &Row) -> bool {
        if !self.wants(row.protocol) || !self.states.contains(row.state) {
            return false;
        }
        if row.protocol.is_unix() {
            return self.ports.is_empty() && self.address.is_none();
        }
        let family = if row.local.is_ipv4() { self.ipv4 } else { self.ipv6 };
        let reaches = |index: u32| row.interface == 0 || row.interface == index;
        family
            && self.interface.is_none_or(reaches)
            && self.matches_ports(row)
            && self.matches_address(row)
    }

    fn matches_ports(&self, row: &Row) -> bool {
        let within = |ports: &PortSet, end: SocketAddr| ports.contains(end.port().into());
        let PortFilters { local, peer, either } = &self.ports;
        local.as_ref().is_none_or(|ports| within(ports, row.local))
            && peer.as_ref().is_none_or(|ports| within(ports, row.peer))
            && either.as_ref().is_none_or(|ports| {
                // A socket without a peer has none at port 0, either.
                within(ports, row.local) || row.peer().is_some_and(|peer| within(ports, peer))
            })
    }

    fn matches_address(&self, row: &Row) -> bool {
        let Some(wanted) = self.address else { return true };
        [Some(row.local), row.peer()].iter().flatten().any(|end| {
            let ip = end.ip();
            ip == wanted || (wanted.is_ipv4() && ip.to_canonical() == wanted)
        })
    }
}

/// TCP and UDP sockets, in every state.
impl Default for Query {
    fn default() -> Self {
        Self::tcp().with_udp()
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn an_interface_lets_through_what_is_bound_to_none_too() {
        let end: SocketAddr = "[fe80::7]:80".parse().unwrap();
        let row = Row::new(Protocol::Tcp, State::Listen, (end, end));
        let query = Query::tcp().interface(3);
        for (interface, is_wanted) in [(0, true), (3, true), (4, false)] {
            assert_eq!(query.matches(&Row { interface, ..row }), is_wanted, "{interface}");
            assert!(Query::tcp().matches(&Row { interface, ..row }));
        }
    }
}
