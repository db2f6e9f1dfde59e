//! The address that multicast leaves from, where the interface was named by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sockets_sys::SendControl;

use crate::interface::Interface;

/// An IPv6 address and its interface. IPv4's address is an option of the socket (`IP_MULTICAST_IF`,
/// ip(7)); IPv6 has none, so that each datagram to a group says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MulticastSource {
    address: Ipv6Addr,
    interface: u32,
}

impl MulticastSource {
    /// Of a socket at `local` that multicasts on `named`, which has that index; `None` where the
    /// socket's own address, or the kernel, says where datagrams come from.
    pub(crate) fn of(local: SocketAddr, named: &Interface, index: u32) -> Option<Self> {
        match named {
            Interface::Address(IpAddr::V6(address)) if local.ip().is_unspecified() => {
                Some(Self { address: *address, interface: index })
            }
            _ => None,
        }
    }

    /// Completes what the caller said of a datagram. One that goes by another interface than this
    /// address is on, or from another address, is left as it is.
    pub(crate) fn complete(self, control: &mut SendControl, target: SocketAddr) {
        let SocketAddr::V6(target) = target else { return };
        let here = |index| index == 0 || index == self.interface;
        if target.ip().is_multicast()
            && control.source.is_none()
            && here(control.interface)
            && here(target.scope_id())
        {
            control.source = Some(self.address.into());
            control.interface = self.interface;
        }
    }
}

/// What `IP_MULTICAST_IF` is to say of the address: none where the interface was named otherwise.
pub(crate) fn address_v4(named: &Interface) -> Ipv4Addr {
    match named {
        Interface::Address(IpAddr::V4(address)) => *address,
        _ => Ipv4Addr::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_open_is_completed() {
        let address: IpAddr = "fd71::1".parse().unwrap();
        let any = "[::]:0".parse().unwrap();
        let source = MulticastSource::of(any, &Interface::Address(address), 3).unwrap();
        let completed = |target: &str, from: Option<IpAddr>, interface| {
            let mut control = SendControl { source: from, interface, segment_size: None };
            source.complete(&mut control, target.parse().unwrap());
            (control.source, control.interface)
        };
        let other = "fd71::2".parse().ok();
        for (target, from, interface, expected) in [
            ("[ff15::1]:7", None, 0, (Some(address), 3)),
            ("[ff12::1%3]:7", None, 3, (Some(address), 3)),
            ("[ff12::1%4]:7", None, 0, (None, 0)),
            ("[ff15::1]:7", None, 4, (None, 4)),
            ("[ff15::1]:7", other, 0, (other, 0)),
            ("[fd71::9]:7", None, 0, (None, 0)),
            ("239.1.2.3:7", None, 0, (None, 0)),
        ] {
            assert_eq!(completed(target, from, interface), expected, "{target} by {interface}");
        }
    }

    #[test]
    fn a_socket_with_an_address_of_its_own_keeps_it() {
        let by_address = Interface::Address("fd71::1".parse().unwrap());
        let bound = "[fd71::2]:0".parse().unwrap();
        assert_eq!(MulticastSource::of(bound, &by_address, 3), None);
        let any = "[::]:0".parse().unwrap();
        assert_eq!(MulticastSource::of(any, &Interface::from("lo"), 1), None);
        assert_eq!(address_v4(&by_address), Ipv4Addr::UNSPECIFIED);
    }
}
