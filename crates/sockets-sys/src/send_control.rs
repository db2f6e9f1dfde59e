//! Control messages of datagrams to send: the source, the interface, the length of segments.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use crate::send_batch::Destination;

/// How one datagram is sent, where that is not as the socket and the routes say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SendControl {
    /// The source address; it must be one of this machine's (`IP_PKTINFO`, `IPV6_PKTINFO`).
    pub source: Option<IpAddr>,
    /// The index of the interface to send from; 0 where the routes choose.
    pub interface: u32,
    /// The kernel is to cut the bytes into datagrams of this length, the last one as long as what
    /// is left (`UDP_SEGMENT`): see [`Self::MOST_SEGMENTS`]. `None`: they are one datagram.
    pub segment_size: Option<NonZeroU16>,
}

impl SendControl {
    /// The most datagrams that the kernel cuts one message into (`UDP_MAX_SEGMENTS` in
    /// include/linux/udp.h; later kernels take 128). Together they must not be longer than one
    /// datagram may be.
    pub const MOST_SEGMENTS: usize = 64;
}

/// The control messages of one datagram, as the kernel reads them.
#[derive(Clone, Copy)]
pub(crate) struct EncodedControl {
    bytes: [u8; EncodedControl::SIZE],
    length: usize,
}

impl EncodedControl {
    /// Packet info of IPv6 takes 40 bytes, the length of segments 24.
    const SIZE: usize = 64;
    pub(crate) const EMPTY: Self = Self { bytes: [0; Self::SIZE], length: 0 };

    /// Writes what `control` says of a datagram to `destination`; `false` where that makes no
    /// sense, since the kernel would pass it over in silence: a source or an interface for what is
    /// not sent to an IP address, or a source of another family.
    pub(crate) fn encode(&mut self, control: &SendControl, destination: &Destination) -> bool {
        self.length = 0;
        if let Some(size) = control.segment_size {
            self.push(libc::SOL_UDP, libc::UDP_SEGMENT, &size.get().to_ne_bytes());
        }
        if control.source.is_none() && control.interface == 0 {
            return true;
        }
        let Destination::Socket(destination) = destination else { return false };
        self.push_packet_info(control, destination)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push_packet_info(&mut self, control: &SendControl, destination: &SocketAddr) -> bool {
        let interface = control.interface.to_ne_bytes();
        match (destination.ip().to_canonical(), control.source.map(|ip| ip.to_canonical())) {
            (IpAddr::V4(_), None | Some(IpAddr::V4(_))) => {
                let mut info = [0; mem::size_of::<libc::in_pktinfo>()];
                info[V4_INTERFACE..V4_INTERFACE + 4].copy_from_slice(&interface);
                if let Some(IpAddr::V4(source)) = control.source.map(|ip| ip.to_canonical()) {
                    info[V4_SOURCE..V4_SOURCE + 4].copy_from_slice(&source.octets());
                }
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            (IpAddr::V6(_), None | Some(IpAddr::V6(_))) => {
                let mut info = [0; mem::size_of::<libc::in6_pktinfo>()];
                info[V6_INTERFACE..V6_INTERFACE + 4].copy_from_slice(&interface);
                if let Some(IpAddr::V6(source)) = control.source {
                    info[V6_SOURCE..V6_SOURCE + 16].copy_from_slice(&source.octets());
                }
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            _ => return false,
        }
        true
    }

    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let end = HEADER + data.len();
        let message = &mut self.bytes[self.length..];
        // The kernel's length is a word, whatever the C library declares.
        message[..mem::size_of::<usize>()].copy_from_slice(&end.to_ne_bytes());
        message[LEVEL..LEVEL + 4].copy_from_slice(&level.to_ne_bytes());
        message[TYPE..TYPE + 4].copy_from_slice(&kind.to_ne_bytes());
        message[HEADER..end].copy_from_slice(data);
        self.length += end.next_multiple_of(mem::size_of::<usize>());
    }
}

const HEADER: usize = mem::size_of::<libc::cmsghdr>();
const LEVEL: usize = mem::offset_of!(libc::cmsghdr, cmsg_level);
const TYPE: usize = mem::offset_of!(libc::cmsghdr, cmsg_type);
const V4_INTERFACE: usize = mem::offset_of!(libc::in_pktinfo, ipi_ifindex);
const V4_SOURCE: usize = mem::offset_of!(libc::in_pktinfo, ipi_spec_dst);
const V6_SOURCE: usize = mem::offset_of!(libc::in6_pktinfo, ipi6_addr);
const V6_INTERFACE: usize = mem::offset_of!(libc::in6_pktinfo, ipi6_ifindex);

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(source: Option<&str>, interface: u32, destination: &str) -> Option<usize> {
        let control = SendControl {
            source: source.map(|ip| ip.parse().unwrap()),
            interface,
            segment_size: NonZeroU16::new(1200),
        };
        let destination = destination.parse::<SocketAddr>().unwrap().into();
        let mut encoded = EncodedControl::EMPTY;
        encoded.encode(&control, &destination).then(|| encoded.bytes().len())
    }

    #[test]
    fn everything_at_once_fits() {
        assert!(encode(Some("127.0.0.1"), 1, "127.0.0.1:9").is_some());
        assert!(encode(Some("127.0.0.1"), 1, "[::ffff:127.0.0.1]:9").is_some());
        assert!(encode(Some("::1"), 1, "[::1]:9").is_some());
        assert!(encode(None, 0, "[::1]:9") < encode(None, 1, "[::1]:9"));
    }

    #[test]
    fn a_source_that_the_kernel_would_pass_over_is_refused() {
        assert_eq!(encode(Some("::1"), 0, "127.0.0.1:9"), None);
        assert_eq!(encode(Some("::1"), 0, "[::ffff:127.0.0.1]:9"), None);
        assert_eq!(encode(Some("127.0.0.1"), 0, "[::1]:9"), None);
        let control = SendControl { interface: 1, ..SendControl::default() };
        assert!(!EncodedControl::EMPTY.clone().encode(&control, &Destination::Connected));
    }
}
