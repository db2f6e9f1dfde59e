//! One probe socket: unconnected, with an error queue, able to ask any host of its family.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use ports_core::Port;
use rustix::io::Errno;
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::drops;
use crate::connect::error_queue::{self, IcmpError};
use crate::connect::own::{OwnPort, OwnSockets};

/// Room asked for answers and errors that were not read yet: some thousands.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Room asked for datagrams that wait in the kernel until their neighbour is found.
const SEND_BUFFER: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct ProbeSocket {
    socket: Socket,
    /// What the kernel has dropped so far, modulo 2^32 (`SO_RXQ_OVFL`).
    drops: u32,
    /// Released after the socket is closed: fields drop in order.
    _port: OwnPort,
}

/// One datagram that came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) sender: SocketAddr,
    /// What the kernel dropped since the last one.
    pub(super) drops: u32,
}

impl ProbeSocket {
    pub(super) fn open(
        v6: bool,
        source: Option<IpAddr>,
        own: &Arc<OwnSockets>,
        interface: Option<&str>,
    ) -> io::Result<Self> {
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
        if v6 {
            socket.set_only_v6(true)?;
        } else {
            // A probe that is too large for some link is to be cut rather than lost.
            set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DONT)?;
            // Who names a broadcast address means everybody there.
            socket.set_broadcast(true)?;
        }
        if let Some(interface) = interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        error_queue::keep(&socket, v6)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            // Without privilege the kernel gives as much as it gives anyone.
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        if setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
            socket.set_send_buffer_size(SEND_BUFFER)?;
        }
        let address = source.unwrap_or_else(|| unspecified(v6));
        socket.bind(&SocketAddr::new(address, Port::ANY.number()).into())?;
        let port = socket.local_addr()?.as_socket().map_or(0, |local| local.port());
        Ok(Self { socket, drops: 0, _port: OwnPort::enter(own, address, Port::new(port)) })
    }

    pub(super) fn send(&self, datagram: &[u8], target: &SockAddr) -> Result<(), Errno> {
        match self.socket.send_to(datagram, target) {
            Ok(_) => Ok(()),
            // The error is one of the kernel's: std makes none of its own here.
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }

    /// The next datagram, whatever it says; `None` where there is none now. An error that a datagram of
    /// ours met is not the socket's: the error queue tells it.
    pub(super) fn receive(&mut self) -> Option<Arrival> {
        /// Errors that may be left over: each call takes one.
        const TRIES: usize = 16;
        let mut control = nix::cmsg_space!(u32);
        for _ in 0..TRIES {
            let message = recvmsg::<SockaddrStorage>(
                self.socket.as_raw_fd(),
                &mut [],
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let message = match message {
                Ok(message) => message,
                Err(nix::errno::Errno::EAGAIN) => return None,
                Err(_) => continue,
            };
            let drops = message.cmsgs().ok().and_then(|mut messages| {
                messages.find_map(|message| match message {
                    ControlMessageOwned::RxqOvfl(drops) => Some(drops),
                    _ => None,
                })
            });
            let Some(sender) = message.address.as_ref().and_then(error_queue::socket_address)
            else {
                continue;
            };
            let before = self.drops;
            self.drops = drops.unwrap_or(before);
            return Some(Arrival { sender, drops: self.drops.wrapping_sub(before) });
        }
        None
    }

    /// What the kernel dropped since the last datagram that was read.
    pub(super) fn drops_since(&self) -> u32 {
        drops::of(&self.socket).map_or(0, |drops| drops.wrapping_sub(self.drops))
    }

    /// The next ICMP message about a datagram of ours: whom that was sent to, and what is said.
    pub(super) fn next_error(&self) -> Option<(Option<SocketAddr>, Option<IcmpError>)> {
        error_queue::next(&self.socket)
    }
}

impl AsFd for ProbeSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The address of a socket that listens at all of them.
pub(super) const fn unspecified(v6: bool) -> IpAddr {
    if v6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn every_datagram_was_read_or_counted_as_dropped() {
        const SENT: usize = 200;
        let source = IpAddr::V4(Ipv4Addr::new(127, 79, 0, 1));
        let own = Arc::new(OwnSockets::default());
        let mut socket = ProbeSocket::open(false, Some(source), &own, None).unwrap();
        // Room for a few.
        socket.socket.set_recv_buffer_size(1).unwrap();
        let address = socket.socket.local_addr().unwrap().as_socket().unwrap();
        assert!(own.has_socket(source, Port::new(address.port())));
        let sender = UdpSocket::bind((source, 0)).unwrap();
        for _ in 0..SENT {
            sender.send_to(&[7; 1_000], address).unwrap();
        }
        let (mut read, mut dropped) = (0, 0);
        // The kernel may deliver after the sender's call has returned, but all of it.
        loop {
            while let Some(arrival) = socket.receive() {
                assert_eq!(arrival.sender, sender.local_addr().unwrap());
                read += 1;
                dropped += arrival.drops as usize;
            }
            let all = read + dropped + socket.drops_since() as usize;
            assert!(all <= SENT, "{read} read, {dropped} dropped, {all} of both");
            if all == SENT {
                break;
            }
            std::thread::yield_now();
        }
        assert!(read > 0 && read < SENT);
        drop(socket);
        assert!(!own.has_socket(source, Port::new(address.port())));
    }
}
