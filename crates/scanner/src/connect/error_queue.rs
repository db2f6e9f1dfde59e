//! A probe socket's error queue (ip(7), `IP_RECVERR`): which ICMP message failed a connect, and from
//! whom. The errno alone does not tell a filter from a closed port, nor a router from this machine.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

use crate::engine::Reply;
use crate::icmp_reply;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` (linux/errqueue.h).
const FROM_ICMP: u8 = 2;
const FROM_ICMP6: u8 = 3;
/// Room for one extended error and the address of who sent it.
const CONTROL_BYTES: usize = 128;

/// An ICMP message about one of our probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IcmpError {
    /// What it says of the target.
    pub(crate) reply: Reply,
    /// Who says so; this machine itself where it could not resolve a neighbour.
    pub(crate) sender: Option<IpAddr>,
}

/// Makes the kernel keep the ICMP messages that fail a connect.
pub(crate) fn keep(socket: &impl AsFd, v6: bool) -> io::Result<()> {
    Ok(if v6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)
    }?)
}

/// Takes the message about a probe to `target`, if there is one. What was left in the queue by probes
/// that the socket served before is thrown away.
pub(crate) fn take(socket: &impl AsRawFd, target: SocketAddr) -> Option<IcmpError> {
    std::iter::from_fn(|| next(socket))
        .find_map(|(about, error)| if about == Some(target) { error } else { None })
}

/// The next message: whom the probe was sent to, and what is said of it. `None` at the queue's end.
pub(crate) fn next(socket: &impl AsRawFd) -> Option<(Option<SocketAddr>, Option<IcmpError>)> {
    let mut control = nix::cmsg_space!([u8; CONTROL_BYTES]);
    // What is quoted of the probe is of no use here.
    let mut nothing = [IoSliceMut::new(&mut [])];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut nothing, Some(&mut control), flags)
            .ok()?;
    let about = message.address.as_ref().and_then(socket_address);
    let error = message
        .cmsgs()
        .ok()
        .and_then(|mut messages| messages.find_map(|message| error_of(&message)));
    Some((about, error))
}

/// The address and port, without the flow and scope that the kernel may add.
pub(crate) fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| {
        let v6 = address.as_sockaddr_in6()?;
        Some(SocketAddr::new(v6.ip().into(), v6.port()))
    })
}

fn error_of(message: &ControlMessageOwned) -> Option<IcmpError> {
    match message {
        ControlMessageOwned::Ipv4RecvErr(error, from) if error.ee_origin == FROM_ICMP => {
            let sender = from.map(|from| Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)).into());
            icmp_reply::of_icmp(error.ee_type, error.ee_code)
                .map(|reply| IcmpError { reply, sender })
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) if error.ee_origin == FROM_ICMP6 => {
            let sender = from.map(|from| Ipv6Addr::from(from.sin6_addr.s6_addr).into());
            icmp_reply::of_icmpv6(error.ee_type, error.ee_code)
                .map(|reply| IcmpError { reply, sender })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_socket_without_an_error_has_none() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let address = listener.local_addr().unwrap();
            let stream = TcpStream::connect(address).unwrap();
            keep(&stream, address.is_ipv6()).unwrap();
            assert_eq!(take(&stream, address), None);
        }
    }
}
