//! One `recvmsg` call: the bytes, the true length, the sender, and what the kernel dropped.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

/// Room for the drop counter and some messages more, in case a socket that was handed in has
/// other options on.
const CONTROL_BYTES: usize = 128;

/// What `recvmsg` says of one datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Its length on the wire; more than the buffer holds where it was cut.
    pub(crate) length: usize,
    pub(crate) source: SocketAddr,
    /// How many datagrams the kernel had dropped on this socket when it queued this one, modulo
    /// 2^32; `None` means none, ever.
    pub(crate) kernel_drops: Option<u32>,
}

/// Makes the kernel report its drops (`SO_RXQ_OVFL`, socket(7)).
pub(crate) fn report_drops(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::RxqOvfl, &1)?)
}

/// The control buffer that [`receive`] needs.
pub(crate) fn control_buffer() -> Vec<u8> {
    nix::cmsg_space!(u32, [u8; CONTROL_BYTES])
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
    // An error here means that the control buffer was too small for the options of a socket that
    // was handed in; the datagram itself is whole.
    let kernel_drops = message.cmsgs().ok().and_then(|mut messages| {
        messages.find_map(|message| match message {
            ControlMessageOwned::RxqOvfl(drops) => Some(drops),
            _ => None,
        })
    });
    Ok(Arrival { length: message.bytes, source, kernel_drops })
}

/// An IPv4 sender seen through a dual-stack socket is an IPv4 address to us.
fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    let v6 = std::net::SocketAddrV6::from(*storage.as_sockaddr_in6()?);
    Some(match v6.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, v6.port())),
        IpAddr::V6(_) => SocketAddr::V6(v6),
    })
}
