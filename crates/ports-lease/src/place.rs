//! Local addresses, and whether a port can be bound there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ports_core::{Port, Transport};
use socket2::{Domain, Protocol, Socket, Type};

use crate::request::{Family, Reach, Request};

/// One socket's worth of local addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) address: IpAddr,
    /// `::` stands for IPv4, too.
    is_dual_stack: bool,
}

impl Place {
    const fn only(address: IpAddr) -> Self {
        Self { address, is_dual_stack: false }
    }

    /// Where a request wants its ports, given whether there is IPv6 to be had.
    pub(crate) fn of(request: &Request) -> Vec<Self> {
        let is_asked =
            request.family == Family::Both && !matches!(request.reach, Reach::Address(_));
        Self::of_reach(request.reach, request.family, is_asked && has_ipv6())
    }

    fn of_reach(reach: Reach, family: Family, has_ipv6: bool) -> Vec<Self> {
        let v4 = Self::only(Ipv4Addr::UNSPECIFIED.into());
        let v6 = Self::only(Ipv6Addr::UNSPECIFIED.into());
        let v4_loopback = Self::only(Ipv4Addr::LOCALHOST.into());
        let v6_loopback = Self::only(Ipv6Addr::LOCALHOST.into());
        match (reach, family) {
            (Reach::Address(address), _) => vec![Self::only(address)],
            (Reach::Everywhere, Family::Both) if has_ipv6 => {
                vec![Self { is_dual_stack: true, ..v6 }]
            }
            (Reach::Everywhere, Family::Both | Family::Ipv4) => vec![v4],
            (Reach::Everywhere, Family::Ipv6) => vec![v6],
            (Reach::Loopback, Family::Both) if has_ipv6 => vec![v4_loopback, v6_loopback],
            (Reach::Loopback, Family::Both | Family::Ipv4) => vec![v4_loopback],
            (Reach::Loopback, Family::Ipv6) => vec![v6_loopback],
        }
    }

    /// Binds a socket here without `SO_REUSEADDR`, so that whatever else is at the port, a
    /// connection that closed lately included, is in its way. It does not listen yet.
    pub(crate) fn bind(self, transport: Transport, port: Port) -> io::Result<Socket> {
        let address = SocketAddr::new(self.address, port.number());
        let (kind, protocol) = match transport {
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
            _ => (Type::STREAM, Protocol::TCP),
        };
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        if address.is_ipv6() {
            // Said in any case: `net.ipv6.bindv6only` has the default.
            socket.set_only_v6(!self.is_dual_stack)?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    }
}

/// Whether there is IPv6 here, with its loopback address. Asked each time: a thread may have gone to
/// another network namespace.
fn has_ipv6() -> bool {
    let loopback = Place::only(Ipv6Addr::LOCALHOST.into());
    match loopback.bind(Transport::Udp, Port::ANY) {
        Ok(_) => true,
        // No room for a socket says nothing of IPv6; what follows will fail by itself.
        Err(error) => {
            let is_unknown = error.raw_os_error() == Some(NO_SUCH_FAMILY);
            !is_unknown && error.kind() != io::ErrorKind::AddrNotAvailable
        }
    }
}

#[cfg(unix)]
const NO_SUCH_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
/// `WSAEAFNOSUPPORT` of Windows.
#[cfg(not(unix))]
const NO_SUCH_FAMILY: i32 = 10047;

#[cfg(test)]
mod tests {
    use super::*;

    fn places(reach: Reach, family: Family, has_ipv6: bool) -> Vec<String> {
        let places = Place::of_reach(reach, family, has_ipv6);
        let text = |place: &Place| {
            format!("{}{}", place.address, if place.is_dual_stack { " dual" } else { "" })
        };
        places.iter().map(text).collect()
    }

    #[test]
    fn both_families_where_there_are_two() {
        let both = Family::Both;
        assert_eq!(places(Reach::Everywhere, both, true), [":: dual"]);
        assert_eq!(places(Reach::Everywhere, both, false), ["0.0.0.0"]);
        assert_eq!(places(Reach::Loopback, both, true), ["127.0.0.1", "::1"]);
        assert_eq!(places(Reach::Loopback, both, false), ["127.0.0.1"]);
        // IPv6 alone is not replaced by something else.
        assert_eq!(places(Reach::Everywhere, Family::Ipv6, false), ["::"]);
        assert_eq!(places(Reach::Loopback, Family::Ipv6, false), ["::1"]);
        assert_eq!(places(Reach::Everywhere, Family::Ipv4, true), ["0.0.0.0"]);
        let address = Ipv4Addr::new(127, 0, 0, 7).into();
        assert_eq!(places(Reach::Address(address), both, true), ["127.0.0.7"]);
    }

    #[test]
    fn a_bound_port_is_in_the_way_at_the_wildcard() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = Port::new(taken.local_addr().unwrap().port());
        let everywhere = Place::of_reach(Reach::Everywhere, Family::Both, has_ipv6())[0];
        let error = everywhere.bind(Transport::Udp, port).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let other = Place::only(Ipv4Addr::new(127, 0, 0, 99).into());
        assert!(other.bind(Transport::Udp, port).is_ok());
    }
}
