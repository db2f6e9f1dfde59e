//! How long a datagram a path takes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};

use crate::path::Path;
use crate::send::Family;

/// An IPv4 header without options (RFC 791), and UDP's (RFC 768).
const HEADERS_V4: usize = 20 + 8;
/// An IPv6 header (RFC 8200), and UDP's.
const HEADERS_V6: usize = 40 + 8;

/// What the headers of a datagram to that address take of its packet.
pub(crate) fn headers(target: SocketAddr) -> usize {
    if target.ip().to_canonical().is_ipv4() { HEADERS_V4 } else { HEADERS_V6 }
}

/// The longest payload that goes this way unfragmented, by the route's MTU and what the kernel has
/// learned of the path. `None` where the kernel does not say.
///
/// Asked of a socket that is connected for the purpose, which sends nothing (ip(7), `IP_MTU`).
pub(crate) fn payload_limit(path: &Path) -> Option<usize> {
    let target = path.target();
    let probe = path.probe().ok()?;
    probe.set_broadcast(true).ok()?;
    probe.connect(target).ok()?;
    let mtu = match target {
        SocketAddr::V4(_) => sockopt::ip_mtu(&probe),
        SocketAddr::V6(_) => sockopt::ipv6_mtu(&probe),
    };
    usize::try_from(mtu.ok()?).ok()?.checked_sub(headers(target))
}

/// Makes the kernel refuse what would have to be fragmented on this machine, and mark the rest so
/// that nobody else fragments it (`IP_PMTUDISC_DO`). The error names the option.
pub(crate) fn forbid_fragments(
    socket: &impl AsFd,
    family: Family,
) -> Result<(), (&'static str, io::Error)> {
    if family != Family::V6 {
        sockopt::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DO)
            .map_err(|errno| ("IP_MTU_DISCOVER", errno.into()))?;
    }
    if family != Family::V4 {
        sockopt::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DO)
            .map_err(|errno| ("IPV6_MTU_DISCOVER", errno.into()))?;
    }
    Ok(())
}

/// Whether datagrams to `kernel_target` may not be fragmented by this machine.
pub(crate) fn forbids_fragments(socket: &impl AsFd, kernel_target: SocketAddr) -> bool {
    match kernel_target.ip().to_canonical() {
        IpAddr::V4(_) => sockopt::ip_mtu_discover(socket).is_ok_and(|discovery| {
            matches!(discovery, Ipv4PathMtuDiscovery::DO | Ipv4PathMtuDiscovery::PROBE)
        }),
        IpAddr::V6(_) => sockopt::ipv6_mtu_discover(socket).is_ok_and(|discovery| {
            matches!(discovery, Ipv6PathMtuDiscovery::DO | Ipv6PathMtuDiscovery::PROBE)
        }),
    }
}

#[cfg(test)]
mod tests {
    use sockets_sys::SendControl;

    use crate::outgoing::Message;

    use super::*;

    #[test]
    fn the_limit_is_the_mtu_less_the_headers() {
        let mtu = std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap();
        let mtu: usize = mtu.trim().parse().unwrap();
        let socket = std::net::UdpSocket::bind("[::]:0").unwrap();
        let local = socket.local_addr().unwrap();
        let payload_limit = |target: &str| {
            let target = target.parse().unwrap();
            let control = SendControl::default();
            let message = Message { data: b"", target, kernel_target: target, control };
            let lo = crate::Interface::from("lo").index().unwrap();
            payload_limit(&Path::of(&socket, &message, local, lo).unwrap())
        };
        let v4 = payload_limit("127.0.0.1:9").unwrap();
        let v6 = payload_limit("[::1]:9").unwrap();
        // IPv4's packets end at 65,535 bytes, whatever the link takes.
        assert_eq!((v4 + HEADERS_V4, v6 + HEADERS_V6), (mtu.min(65_535), mtu));
        assert_eq!(payload_limit("[::ffff:127.0.0.1]:9"), Some(v4));
        assert_eq!(payload_limit("239.255.0.1:9"), Some(v4), "by the interface of groups");
    }
}
