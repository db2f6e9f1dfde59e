//! The way that a datagram takes from this machine, asked of a socket made for the purpose: what is
//! connected is routed as what is sent, and sends nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsFd;

use socket2::SockRef;

use crate::interface::{self, Interface};
use crate::mtu;
use crate::outgoing::Message;

/// Nothing is sent there: the discard protocol's (RFC 863).
const ANY_PORT: u16 = 9;

/// What decides the route of a message, as far as another socket can be given it.
#[derive(Debug)]
pub(crate) struct Path {
    target: SocketAddr,
    source: SocketAddr,
    /// The interface it has to leave by.
    device: Option<Vec<u8>>,
    /// Whether datagrams may not be fragmented by this machine.
    pub(crate) forbids_fragments: bool,
}

impl Path {
    /// Of a message of this socket, which is bound to `local`. `None` where the socket goes by rules
    /// that a probe would not.
    /// `group_link` is the index of the interface that its multicast goes by, 0 where the routes choose.
    pub(crate) fn of(
        socket: &impl AsFd,
        message: &Message<'_>,
        local: SocketAddr,
        group_link: u32,
    ) -> Option<Self> {
        let options = SockRef::from(socket);
        if options.mark().ok()? != 0 {
            return None;
        }
        let target = message.target;
        let is_scoped = matches!(target, SocketAddr::V6(v6) if v6.scope_id() != 0);
        let link = match message.control.interface {
            0 if target.ip().to_canonical().is_multicast() && !is_scoped => group_link,
            link => link,
        };
        let device = match link {
            0 => options.device().ok()?,
            link => Some(interface::name(socket, link).ok()?.into_bytes()),
        };
        let target = SocketAddr::new(target.ip().to_canonical(), target.port());
        let target = match (target, message.target) {
            (SocketAddr::V6(_), named @ SocketAddr::V6(_)) => named,
            (target, _) => target,
        };
        let source = source(message.control.source, local, target, link);
        let forbids_fragments = mtu::forbids_fragments(socket, message.kernel_target);
        Some(Self { target, source, device, forbids_fragments })
    }

    /// To an IPv4 address from the source that is given, by the interface that is given.
    fn to(ip: Ipv4Addr, from: Option<IpAddr>, interface: &Interface) -> io::Result<Self> {
        let device = match interface.index().map_err(io::Error::other)? {
            0 => None,
            link => {
                let any = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                Some(interface::name(&any, link)?.into_bytes())
            }
        };
        let target = SocketAddr::from((ip, ANY_PORT));
        let unbound = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let source = source(from, unbound, target, 0);
        Ok(Self { target, source, device, forbids_fragments: false })
    }

    pub(crate) const fn target(&self) -> SocketAddr {
        self.target
    }

    /// Whether the routes lead to a broadcast address: IPv4 only, since IPv6 has none. An error where no
    /// socket can be had to ask with.
    pub(crate) fn is_broadcast(&self) -> io::Result<bool> {
        if !self.target.is_ipv4() {
            return Ok(false);
        }
        // connect(2): EACCES is a broadcast without SO_BROADCAST, or a route that forbids it. Only the
        // first one is over when it is allowed.
        let probe = self.probe()?;
        let refused = probe.connect(self.target).err();
        if refused.is_none_or(|error| error.kind() != io::ErrorKind::PermissionDenied) {
            return Ok(false);
        }
        probe.set_broadcast(true)?;
        Ok(probe.connect(self.target).is_ok())
    }

    /// Whether the routes throw away what is sent there, which the kernel calls an invalid argument
    /// (`fib_props` in `net/ipv4/fib_semantics.c`).
    pub(crate) fn is_blackhole(&self) -> bool {
        let refused = self.probe().ok().and_then(|probe| probe.connect(self.target).err());
        refused.is_some_and(|error| error.kind() == io::ErrorKind::InvalidInput)
    }

    /// A socket whose datagrams would go this way.
    pub(crate) fn probe(&self) -> io::Result<UdpSocket> {
        let probe = UdpSocket::bind(self.source)?;
        if let Some(device) = &self.device {
            SockRef::from(&probe).bind_device(Some(device))?;
        }
        Ok(probe)
    }
}

/// Whether what is sent to this address, from that source and by that interface where they are given, is a
/// broadcast: whether several hosts may get it. That is so of 255.255.255.255, and of the broadcast address
/// of each network that this machine is in, such as 10.1.2.63 of 10.1.2.0/26; only the kernel's routes tell
/// it from a host's. One that comes and goes with its network is what it is now.
///
/// Takes a socket for a moment, and sends nothing.
///
/// # Errors
///
/// Where the kernel cannot be asked: no descriptors, a source that is none of this machine's, an interface
/// that is not there.
pub fn is_broadcast(
    address: Ipv4Addr,
    source: Option<IpAddr>,
    interface: &Interface,
) -> io::Result<bool> {
    Ok(address.is_broadcast() || Path::to(address, source, interface)?.is_broadcast()?)
}

/// Where the message comes from: the address that was asked for, the socket's own, or whatever the
/// routes choose.
fn source(asked: Option<IpAddr>, local: SocketAddr, target: SocketAddr, link: u32) -> SocketAddr {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let own = asked.unwrap_or_else(|| local.ip()).to_canonical();
    // A group that the socket is bound to is no source.
    let own = Some(own).filter(|own| own.is_ipv4() == any.is_ipv4() && !own.is_multicast());
    match own.unwrap_or(any) {
        IpAddr::V4(ip) => SocketAddr::from((ip, 0)),
        IpAddr::V6(ip) => {
            let zone = |address: SocketAddr| match address {
                SocketAddr::V6(v6) => v6.scope_id(),
                SocketAddr::V4(_) => 0,
            };
            let zones = [link, zone(target), zone(local)];
            let zone = zones.into_iter().find(|zone| *zone != 0).unwrap_or(0);
            // Only a link-local address is known by its link (RFC 4007 section 6).
            let zone = if ip.is_unicast_link_local() { zone } else { 0 };
            SocketAddrV6::new(ip, 0, 0, zone).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_tell_a_broadcast_address_from_a_hosts() {
        let lo = Interface::from("lo");
        for (address, interface, expected) in [
            ([255, 255, 255, 255], &Interface::Default, true),
            ([127, 255, 255, 255], &Interface::Default, true),
            ([127, 255, 255, 255], &lo, true),
            ([127, 0, 0, 255], &Interface::Default, false),
            ([127, 0, 0, 1], &lo, false),
        ] {
            let found = is_broadcast(address.into(), None, interface).unwrap();
            assert_eq!(found, expected, "{address:?} by {interface}");
        }
        let source = Some(IpAddr::from([192, 0, 2, 1]));
        let local = Ipv4Addr::LOCALHOST;
        assert!(is_broadcast(local, source, &Interface::Default).is_err());
        assert!(is_broadcast(local, None, &Interface::from("nope0")).is_err());
    }

    #[test]
    fn the_probe_comes_from_where_the_message_does() {
        for (asked, local, target, link, expected) in [
            (None, "0.0.0.0:7", "10.0.0.1:9", 0, "0.0.0.0:0"),
            (None, "127.0.0.2:7", "127.0.0.1:9", 0, "127.0.0.2:0"),
            (Some("127.0.0.3"), "127.0.0.2:7", "127.0.0.1:9", 0, "127.0.0.3:0"),
            (None, "239.1.2.3:7", "127.0.0.1:9", 0, "0.0.0.0:0"),
            (None, "[::]:7", "10.0.0.1:9", 0, "0.0.0.0:0"),
            (None, "[::ffff:127.0.0.2]:7", "127.0.0.1:9", 0, "127.0.0.2:0"),
            (None, "[fd71::1]:7", "[fd71::2]:9", 3, "[fd71::1]:0"),
            (Some("fe80::1"), "[::]:7", "[fe80::2%4]:9", 0, "[fe80::1%4]:0"),
            (Some("fe80::1"), "[::]:7", "[fd71::2]:9", 3, "[fe80::1%3]:0"),
        ] {
            let asked = asked.map(|ip| ip.parse().unwrap());
            let found = source(asked, local.parse().unwrap(), target.parse().unwrap(), link);
            assert_eq!(found, expected.parse().unwrap(), "{asked:?} {local} {target}");
        }
    }
}
