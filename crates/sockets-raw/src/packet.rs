//! Packet sockets: what passes an interface, received and sent by the batch (packet(7)).

mod config;
mod ring;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use sockets_sys::{FilterInstruction, PacketFd, PacketStatistics, ReceiveBatch, SendBatch};

pub use config::PacketConfig;
pub use ring::PacketRing;

use crate::open_error::{OpenError, OpenStep};

/// A packet socket. Nothing in it waits; see [`wait_readable`](Self::wait_readable), or poll its
/// descriptor.
#[derive(Debug)]
pub struct PacketSocket {
    socket: PacketFd,
    receive_buffer: usize,
}

impl PacketSocket {
    /// Opens the socket; filter and options are in force before the first packet.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: `NotPermitted` without `CAP_NET_RAW`, else the step that failed.
    pub fn open(config: &PacketConfig) -> Result<Self, OpenError> {
        let socket = config.prepare()?;
        let receive_buffer = sockets_sys::set_receive_buffer(&socket, config.receive_buffer)
            .map_err(|source| {
                let bytes = config.receive_buffer;
                OpenError::Step { step: OpenStep::ReceiveBuffer { bytes }, source }
            })?;
        config.bind(&socket)?;
        Ok(Self { socket, receive_buffer })
    }

    /// Puts another filter in place. Packets that are queued already have passed the old one.
    ///
    /// # Errors
    ///
    /// What the kernel says of the program, or that the filter is locked (`PermissionDenied`).
    pub fn attach_filter(&self, program: &[FilterInstruction]) -> io::Result<()> {
        sockets_sys::attach_filter(&self.socket, program)
    }

    /// Hands waiting packets to the kernel, in one call: see [`SendBatch::send`]. Each needs a
    /// [`LinkAddress`](crate::LinkAddress) as its destination, or at the link level the interface
    /// the socket is on.
    ///
    /// # Errors
    ///
    /// The kernel's reason for refusing the first waiting packet, which stays in the batch.
    /// `WouldBlock` and `ENOBUFS`: this machine's queue is full. `ENETDOWN`, `ENXIO`: the
    /// interface is down, or gone. `EMSGSIZE`: larger than its MTU.
    pub fn send(&self, batch: &mut SendBatch) -> io::Result<usize> {
        batch.send(&self.socket)
    }

    /// Receives what is there, in one call: see [`ReceiveBatch::receive`].
    ///
    /// # Errors
    ///
    /// What the kernel says: `ENETDOWN` once after the interface went down.
    pub fn receive(&self, batch: &mut ReceiveBatch) -> io::Result<usize> {
        batch.receive(&self.socket)
    }

    /// Waits until there is something to receive, or an error to be told, and says whether there
    /// is: `false` after `timeout`.
    ///
    /// # Errors
    ///
    /// What the kernel says of the wait.
    pub fn wait_readable(&self, timeout: Duration) -> io::Result<bool> {
        sockets_sys::wait_readable([self.as_fd()], timeout)
    }

    /// What passed the filter since the socket was opened, and what of it the kernel dropped
    /// because the receive buffer was full.
    ///
    /// # Errors
    ///
    /// What the kernel says of the descriptor.
    pub fn statistics(&self) -> io::Result<PacketStatistics> {
        self.socket.statistics()
    }

    /// The receive buffer granted, in bytes as the kernel counts them: twice what was asked for,
    /// or the system's limit.
    pub const fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<PacketSocket> for OwnedFd {
    fn from(socket: PacketSocket) -> Self {
        socket.socket.into()
    }
}

#[cfg(test)]
mod tests;
