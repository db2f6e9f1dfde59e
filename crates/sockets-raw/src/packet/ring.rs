//! Packets received through memory shared with the kernel.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use sockets_sys::{FilterInstruction, PacketStatistics, RingBlock};

use super::PacketConfig;
use crate::open_error::{OpenError, OpenStep};

/// A packet socket that receives through a ring of shared memory (`TPACKET_V3`): for high rates.
/// Beside [`PacketSocket::receive`](super::PacketSocket::receive) it takes less processor time for
/// a packet and holds more of them, and they come up to [`PacketConfig::block_patience`] later,
/// each with its timestamp.
///
/// ```
/// use std::time::Duration;
/// use sockets_raw::{OpenError, PacketConfig, PacketRing};
///
/// let mut ring = match PacketRing::open(&PacketConfig::new()) {
///     Err(OpenError::NotPermitted { .. }) => return Ok(()),
///     other => other?,
/// };
/// if ring.wait_readable(Duration::from_millis(10))? {
///     while let Some(block) = ring.next_block() {
///         for packet in &block {
///             println!("{} bytes at {:?}", packet.length, packet.timestamp);
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PacketRing {
    ring: sockets_sys::PacketRing,
}

impl PacketRing {
    /// Opens the socket with its ring of [`PacketConfig::receive_buffer`] bytes; filter and options
    /// are in force before the first packet.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: `NotPermitted` without `CAP_NET_RAW`, else the step that failed.
    pub fn open(config: &PacketConfig) -> Result<Self, OpenError> {
        let bytes = config.receive_buffer;
        let ring = sockets_sys::PacketRing::new(config.prepare()?, bytes, config.block_patience)
            .map_err(|source| OpenError::Step { step: OpenStep::Ring { bytes }, source })?;
        config.bind(ring.socket())?;
        Ok(Self { ring })
    }

    /// The next block of packets, without waiting; `None` where none is there. Its memory goes back
    /// to the kernel when it is dropped: soon, or the ring fills and drops.
    pub fn next_block(&mut self) -> Option<RingBlock<'_>> {
        self.ring.next_block()
    }

    /// Waits until a block is there, or an error to be told, and says whether: `false` after
    /// `timeout`.
    ///
    /// # Errors
    ///
    /// What the kernel says of the wait.
    pub fn wait_readable(&self, timeout: Duration) -> io::Result<bool> {
        sockets_sys::wait_readable([self.as_fd()], timeout)
    }

    /// As [`PacketSocket::attach_filter`](super::PacketSocket::attach_filter).
    ///
    /// # Errors
    ///
    /// What the kernel says of the program, or that the filter is locked (`PermissionDenied`).
    pub fn attach_filter(&self, program: &[FilterInstruction]) -> io::Result<()> {
        sockets_sys::attach_filter(self.ring.socket(), program)
    }

    /// What passed the filter since the socket was opened, and what of it the kernel dropped
    /// because the ring was full.
    ///
    /// # Errors
    ///
    /// What the kernel says of the descriptor.
    pub fn statistics(&self) -> io::Result<PacketStatistics> {
        self.ring.socket().statistics()
    }

    /// The ring's memory, in bytes.
    pub const fn size(&self) -> usize {
        self.ring.size()
    }
}

impl AsFd for PacketRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
