//! One `recvmsg` call: the bytes, the true length, both addresses, and what the kernel dropped.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

use crate::segments::Segments;
use crate::send::Family;

/// Room for the drop counter (24 bytes), the addresses (32 and 40), the length of segments (24)
/// and some more, in case a socket that was handed in has other options on.
const CONTROL_BYTES: usize = 256;

/// What the kernel says of one datagram, or of several that came as one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The length on the wire; more than the buffer holds where it was cut.
    pub(crate) length: usize,
    pub(crate) source: SocketAddr,
    pub(crate) destination: Option<IpAddr>,
    pub(crate) local: Option<IpAddr>,
    pub(crate) interface: u32,
    /// How long each of the datagrams is that came as one.
    pub(crate) segment_size: Option<NonZeroU16>,
    /// How many datagrams the kernel had dropped on this socket when it queued this one, modulo
    /// 2^32; `None` means none, ever.
    pub(crate) kernel_drops: Option<u32>,
}

impl Arrival {
    pub(crate) const fn segments(&self) -> Segments {
        Segments::new(self.length, self.segment_size)
    }
}

/// Makes the kernel report its drops (`SO_RXQ_OVFL`, socket(7)).
pub(crate) fn report_drops(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::RxqOvfl, &1)?)
}

/// Makes the kernel report where each datagram was sent to (ip(7), ipv6(7)). The error names the
/// option.
pub(crate) fn report_destinations(
    socket: &impl AsFd,
    family: Family,
) -> Result<(), (&'static str, io::Error)> {
    if family != Family::V6 {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)
            .map_err(|errno| ("IP_PKTINFO", errno.into()))?;
    }
    if family != Family::V4 {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)
            .map_err(|errno| ("IPV6_RECVPKTINFO", errno.into()))?;
    }
    Ok(())
}

/// Lets the kernel hand over several datagrams of one sender as one (`UDP_GRO`, Linux 5.0 and
/// later), and says whether it will.
pub(crate) fn join_datagrams(socket: &impl AsFd) -> bool {
    setsockopt(socket, sockopt::UdpGroSegment, &true).is_ok()
}

/// The control buffer that [`receive`] needs.
pub(crate) fn control_buffer() -> Vec<u8> {
    nix::cmsg_space!([u8; CONTROL_BYTES])
}

/// Takes one datagram from the socket's queue.
pub(crate) fn receive(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
    control: &mut [u8],
) -> io::Result<Arrival> {
    let mut slices = [IoSliceMut::new(buffer)];
    // MSG_TRUNC as a request: the length returned is the datagram's, not what was stored (recv(2)).
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(control),
        MsgFlags::MSG_TRUNC,
    )?;
    let source = message.address.as_ref().and_then(socket_address).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "the datagram has no internet address")
    })?;
    let mut arrival = Arrival {
        length: message.bytes,
        source,
        destination: None,
        local: None,
        interface: 0,
        segment_size: None,
        kernel_drops: None,
    };
    // An error here means that the control buffer was too small for the options of a socket that
    // was handed in; the datagram itself is whole.
    for message in message.cmsgs().into_iter().flatten() {
        arrival.note(&message);
    }
    Ok(arrival)
}

impl Arrival {
    fn note(&mut self, message: &ControlMessageOwned) {
        match message {
            ControlMessageOwned::RxqOvfl(drops) => self.kernel_drops = Some(*drops),
            ControlMessageOwned::UdpGroSegments(size) => {
                self.segment_size = u16::try_from(*size).ok().and_then(NonZeroU16::new);
            }
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let local = Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                self.destination = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                self.local = (!local.is_unspecified()).then_some(local.into());
                self.interface = u32::try_from(info.ipi_ifindex).unwrap_or_default();
            }
            // On a dual-stack socket IPv4's own message says more.
            ControlMessageOwned::Ipv6PacketInfo(info) if self.destination.is_none() => {
                let destination = Ipv6Addr::from(info.ipi6_addr.s6_addr).to_canonical();
                self.destination = Some(destination);
                self.local = Some(destination).filter(|ip| ip.is_ipv6() && !ip.is_multicast());
                self.interface = info.ipi6_ifindex;
            }
            _ => {}
        }
    }
}

fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    let v6 = std::net::SocketAddrV6::from(*storage.as_sockaddr_in6()?);
    Some(canonical(v6.into()))
}

/// An IPv4 peer seen through a dual-stack socket is an IPv4 address to us.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}
