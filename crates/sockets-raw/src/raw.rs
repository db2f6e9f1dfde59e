//! Raw sockets: any IP protocol, with or without the IP header (raw(7), RFC 3542 section 3).

mod config;
mod error;
mod received;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use sockets_sys::{FilterInstruction, ReceiveBatch, SendBatch};

pub use config::RawConfig;
pub use error::{ReceiveError, SendError};
pub use received::{RawPacket, split_ipv4};

use crate::open_error::{OpenError, OpenStep};

/// A raw IP socket: sends packets of one protocol number and receives copies of those that arrive,
/// beside whatever else in the system takes them. Nothing in it waits but
/// [`recv_from_timeout`](Self::recv_from_timeout).
///
/// IPv4 packets are received with their header, IPv6 packets without. Packets are sent behind a
/// header that the kernel makes, unless [`RawConfig::header_included`] says that they bring one.
#[derive(Debug)]
pub struct RawSocket {
    socket: Socket,
    protocol: u8,
    is_ipv4: bool,
}

impl RawSocket {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: `NotPermitted` without `CAP_NET_RAW`, `FamilyMismatch` where the address to bind
    /// to is of the other IP version, else the step that failed.
    pub fn open(config: &RawConfig) -> Result<Self, OpenError> {
        let socket = Self::unbound(config)?;
        socket.bind(config)?;
        Ok(socket)
    }

    /// The socket with its options, closed to packets until [`bind`](Self::bind) where it is to be
    /// bound: a raw socket receives what is of its protocol from the moment it is made (raw(7)).
    fn unbound(config: &RawConfig) -> Result<Self, OpenError> {
        let (domain, version) = if config.is_ipv4 { (Domain::IPV4, 4) } else { (Domain::IPV6, 6) };
        let protocol = Protocol::from(i32::from(config.protocol));
        let kind = Type::RAW.nonblocking().cloexec();
        let named = format!("a raw IPv{version} socket for protocol {}", config.protocol);
        if let Some(address) = config.address.filter(|ip| ip.is_ipv4() != config.is_ipv4) {
            return Err(OpenError::FamilyMismatch { socket: named, address });
        }
        let socket = Socket::new_raw(domain, kind, Some(protocol))
            .map_err(|source| OpenError::from_open(&named, source))?;
        if config.is_bound() {
            sockets_sys::attach_filter(&socket, &[FilterInstruction::NOTHING])
                .map_err(at(OpenStep::Filter { instructions: 1 }))?;
        }
        if let Some(bytes) = config.receive_buffer {
            sockets_sys::set_receive_buffer(&socket, bytes)
                .map_err(at(OpenStep::ReceiveBuffer { bytes }))?;
        }
        // Said in both cases: the kernel turns it on by itself for protocol 255.
        let included = if config.is_ipv4 {
            socket.set_header_included_v4(config.header_included)
        } else {
            socket.set_header_included_v6(config.header_included)
        };
        included.map_err(at(OpenStep::HeaderIncluded))?;
        if let Some(limit) = config.hop_limit {
            let value = u32::from(limit);
            let set = if config.is_ipv4 {
                socket.set_ttl_v4(value)
            } else {
                socket.set_unicast_hops_v6(value)
            };
            set.map_err(at(OpenStep::HopLimit { limit }))?;
        }
        if config.timestamps {
            sockets_sys::set_timestamps(&socket, true).map_err(at(OpenStep::Timestamps))?;
        }
        Ok(Self { socket, protocol: config.protocol, is_ipv4: config.is_ipv4 })
    }

    /// Binds the socket and opens it to packets. What came before is discarded, but for a packet
    /// that another core has in its hands all the while.
    fn bind(&self, config: &RawConfig) -> Result<(), OpenError> {
        if let Some(interface) = &config.interface {
            let step = OpenStep::BindInterface { interface: interface.clone() };
            self.socket.bind_device(Some(interface.as_bytes())).map_err(at(step))?;
        }
        if let Some(address) = config.address {
            self.socket
                .bind(&SockAddr::from(SocketAddr::new(address, 0)))
                .map_err(at(OpenStep::BindAddress { address }))?;
        }
        if config.is_bound() {
            self.discard_received().map_err(at(OpenStep::DiscardReceived))?;
            sockets_sys::detach_filter(&self.socket).map_err(at(OpenStep::DetachFilter))?;
        }
        Ok(())
    }

    /// Empties the receive queue, which ends where a filter lets nothing more in.
    fn discard_received(&self) -> io::Result<()> {
        loop {
            match rustix::net::recv(&self.socket, &mut [0_u8; 0], RecvFlags::DONTWAIT) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The protocol number it is for.
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Whether it is an IPv4 socket; else it is an IPv6 one.
    pub const fn is_ipv4(&self) -> bool {
        self.is_ipv4
    }

    /// Sends one packet: the IP payload, or the whole packet with
    /// [`RawConfig::header_included`]. All of it goes, or none.
    ///
    /// The kernel routes it to `destination`, whatever an included header says. A link-local IPv6
    /// destination needs [`RawConfig::interface`]. In an included IPv4 header the kernel fills in
    /// checksum and total length always, source and identification where they are 0 (raw(7)).
    ///
    /// # Errors
    ///
    /// [`SendError`]: what this machine had against it. That a packet was sent does not mean that
    /// it arrives.
    pub fn send_to(&self, packet: &[u8], destination: IpAddr) -> Result<(), SendError> {
        if destination.is_ipv4() != self.is_ipv4 {
            let socket = if self.is_ipv4 { 4 } else { 6 };
            return Err(SendError::WrongFamily { destination, socket });
        }
        let address = SockAddr::from(SocketAddr::new(destination, 0));
        loop {
            match self.socket.send_to(packet, &address) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SendError::new(packet.len(), destination, source)),
            }
        }
    }

    /// Receives one packet into `buffer`; `None` where none is there.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`]: what the kernel says.
    pub fn recv_from<'a>(
        &self,
        buffer: &'a mut [u8],
    ) -> Result<Option<RawPacket<'a>>, ReceiveError> {
        let room = buffer.len();
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (length, source) = loop {
            match rustix::net::recvfrom(&self.socket, &mut *buffer, flags) {
                Ok((_, length, source)) => break (length, source),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.receive_error(error.into())),
            }
        };
        let source = source.and_then(|source| SocketAddr::try_from(source).ok()).unwrap_or_else(
            // The kernel names the source of every raw packet (net/ipv4/raw.c, net/ipv6/raw.c).
            || SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
        );
        Ok(Some(RawPacket::new(&buffer[..length.min(room)], length, source)))
    }

    /// Receives one packet into `buffer`, waiting up to `timeout` for it; `None` where none came.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`]: what the kernel says.
    pub fn recv_from_timeout<'a>(
        &self,
        buffer: &'a mut [u8],
        timeout: Duration,
    ) -> Result<Option<RawPacket<'a>>, ReceiveError> {
        sockets_sys::wait_readable([self.as_fd()], timeout)
            .map_err(|source| self.receive_error(source))?;
        self.recv_from(buffer)
    }

    /// Hands waiting packets to the kernel, in one call: see [`SendBatch::send`]. Each needs an
    /// address with port 0 as its destination.
    ///
    /// # Errors
    ///
    /// The kernel's reason for refusing the first waiting packet, which stays in the batch.
    pub fn send(&self, batch: &mut SendBatch) -> io::Result<usize> {
        batch.send(&self.socket)
    }

    /// Receives what is there, in one call: see [`ReceiveBatch::receive`]. [`split_ipv4`] parts
    /// header and payload of a packet.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        batch.receive(&self.socket)
    }

    fn receive_error(&self, source: io::Error) -> ReceiveError {
        ReceiveError { protocol: self.protocol, source }
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<RawSocket> for OwnedFd {
    fn from(socket: RawSocket) -> Self {
        socket.socket.into()
    }
}

fn at(step: OpenStep) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Step { step, source }
}

#[cfg(test)]
mod tests;
