//! One `recvmsg` call: the bytes, the true length, both addresses, and what the kernel dropped.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};
use sockets_sys::ReceivedControl;

use crate::segments::Segments;
use crate::send::Family;

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
/// later), or not, and says whether it will.
pub(crate) fn join_datagrams(socket: &impl AsFd, wanted: bool) -> bool {
    setsockopt(socket, sockopt::UdpGroSegment, &wanted).is_ok() && wanted
}

/// Keeps the kernel from cutting datagrams into shorter ones, as a socket that was handed in may
/// have been told to (`UDP_SEGMENT`). A kernel that does not know how (before 4.18) does not.
pub(crate) fn cut_nothing(socket: &impl AsFd) {
    let _ = setsockopt(socket, sockopt::UdpGsoSegment, &0);
}

/// Takes one datagram from the socket's queue.
pub(crate) fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let received = sockets_sys::receive_message(socket, buffer)?;
    let source = received.source.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "the datagram has no internet address")
    })?;
    let ReceivedControl { destination, local, interface, segment_size, kernel_drops, .. } =
        received.control;
    Ok(Arrival {
        length: received.length,
        source: canonical(source),
        destination,
        local,
        interface,
        segment_size,
        kernel_drops,
    })
}

/// An IPv4 peer seen through a dual-stack socket is an IPv4 address to us.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}
