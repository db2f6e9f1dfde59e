//! The way that a datagram takes from this machine, asked of a socket made for the purpose: what is
//! connected is routed as what is sent, and sends nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsFd;

use socket2::SockRef;

use crate::interface;
use crate::mtu;
use crate::outgoing::Message;

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
    pub(crate) fn of(socket: &impl AsFd, message: &Message<'_>, local: SocketAddr) -> Option<Self> {
        let options = SockRef::from(socket);
        if options.mark().ok()? != 0 {
            return None;
        }
        let link = message.control.interface;
        let device = match link {
            0 => options.device().ok()?,
            link => Some(interface::name(socket, link).ok()?.into_bytes()),
        };
        let target = message.target;
        let target = SocketAddr::new(target.ip().to_canonical(), target.port());
        let target = match (target, message.target) {
            (SocketAddr::V6(_), named @ SocketAddr::V6(_)) => named,
            (target, _) => target,
        };
        let source = source(message.control.source, local, target, link);
        let forbids_fragments = mtu::forbids_fragments(socket, message.kernel_target);
        Some(Self { target, source, device, forbids_fragments })
    }

    pub(crate) const fn target(&self) -> SocketAddr {
        self.target
    }

    /// Whether the routes lead to a broadcast address, though the kernel refuses it: IPv4 only, since
    /// IPv6 has none.
    pub(crate) fn is_broadcast(&self) -> bool {
        // connect(2): EACCES is a broadcast without SO_BROADCAST, or a route that forbids it. Only the
        // first one is over when it is allowed.
        let is_refused = |probe: &UdpSocket| {
            let refused = probe.connect(self.target).err();
            refused.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        };
        self.target.is_ipv4()
            && self.probe().is_some_and(|probe| {
                is_refused(&probe)
                    && probe.set_broadcast(true).is_ok()
                    && probe.connect(self.target).is_ok()
            })
    }

    /// A socket whose datagrams would go this way. `None` where none can be had.
    pub(crate) fn probe(&self) -> Option<UdpSocket> {
        let probe = UdpSocket::bind(self.source).ok()?;
        if let Some(device) = &self.device {
            SockRef::from(&probe).bind_device(Some(device)).ok()?;
        }
        Some(probe)
    }
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
