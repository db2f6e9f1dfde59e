//! A socket's error queue: which datagram an ICMP message was about (ip(7), `IP_RECVERR`).

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

use crate::arrival::canonical;
use crate::send::Family;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` (linux/errqueue.h). What this machine itself found, the
/// call has returned.
const FROM_ICMP: u8 = 2;
const FROM_ICMP6: u8 = 3;
/// Room for one extended error and the address of who sent it.
const CONTROL_BYTES: usize = 128;

/// What an ICMP message said of a datagram that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerError {
    /// Where the datagram should have gone.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) kind: io::ErrorKind,
}

/// Has the kernel keep such messages, for a socket that is not connected as well. The error names the
/// option.
pub(crate) fn keep(socket: &impl AsFd, family: Family) -> Result<(), (&'static str, io::Error)> {
    if family != Family::V6 {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)
            .map_err(|errno| ("IP_RECVERR", errno.into()))?;
    }
    if family != Family::V4 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)
            .map_err(|errno| ("IPV6_RECVERR", errno.into()))?;
    }
    Ok(())
}

/// Takes what is kept, up to the queue's end.
pub(crate) fn take_all(socket: &impl AsFd) -> impl Iterator<Item = PeerError> {
    let mut ended = false;
    std::iter::from_fn(move || {
        while !ended {
            match take(socket) {
                Ok(Some(error)) => return Some(error),
                // Of no peer.
                Ok(None) => {}
                Err(_) => ended = true,
            }
        }
        None
    })
}

/// The next one, where it is of a peer; an error at the end.
fn take(socket: &impl AsFd) -> nix::Result<Option<PeerError>> {
    let mut control = nix::cmsg_space!([u8; CONTROL_BYTES]);
    // What is quoted of the datagram is of no use here.
    let mut nothing = [IoSliceMut::new(&mut [])];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let socket = socket.as_fd().as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(socket, &mut nothing, Some(&mut control), flags)?;
    let peer = message.address.as_ref().and_then(socket_address);
    let errno = message.cmsgs().ok().and_then(|mut all| all.find_map(|one| errno_of(&one)));
    Ok(errno.map(|errno| {
        let kind = io::Error::from_raw_os_error(errno).kind();
        PeerError { peer, kind }
    }))
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    let v6 = || address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()));
    v4.or_else(v6).map(canonical)
}

fn errno_of(message: &ControlMessageOwned) -> Option<i32> {
    let (ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)) =
        message
    else {
        return None;
    };
    let errno = i32::try_from(error.ee_errno).ok()?;
    matches!(error.ee_origin, FROM_ICMP | FROM_ICMP6).then_some(errno)
}
