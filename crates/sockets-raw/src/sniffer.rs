//! Sniffing: what passes the interfaces of this machine.

mod builder;
mod stop;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use rustix::io::Errno;

use crate::{LinkSource, PacketSocket, PacketStatistics, ReceiveBatch, Source};
use stop::StopEvent;

pub use builder::SnifferBuilder;
pub use stop::SnifferStop;

/// Sees packets as they pass the interfaces of this machine, from their network header on, and
/// changes nothing about them.
///
/// Bounded: the kernel's queue by [`SnifferBuilder::receive_buffer`], and what does not fit it is
/// counted in [`statistics`](Self::statistics); this process's memory by one batch. Over loopback a
/// packet is seen once, though it passes twice.
///
/// Needs `CAP_NET_RAW`.
///
/// ```no_run
/// use std::time::Duration;
/// use sockets_raw::{Filter, FilterProtocol, Interface, Sniffer};
///
/// let filter = Filter::builder().protocol(FilterProtocol::Icmp).build()?;
/// let loopback = Interface::by_name("lo")?;
/// let mut sniffer = Sniffer::builder().interface(loopback.index).filter(filter).open()?;
/// for packet in sniffer.receive(Duration::from_secs(1))? {
///     println!("{:?}: {} bytes", packet.timestamp, packet.length);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sniffer {
    socket: PacketSocket,
    interface: u32,
    batch: ReceiveBatch,
    stop: StopEvent,
    unreadable: u64,
}

/// A packet that passed an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SniffedPacket<'a> {
    /// When the kernel saw it.
    pub timestamp: SystemTime,
    /// Interface, protocol, link address of the sender, and which way it went.
    pub link: LinkSource,
    /// How long it is from the network header on, in bytes; with segmentation left to the network
    /// card, more than the link takes.
    pub length: usize,
    /// As much of it as was to be kept, from the network header on.
    pub bytes: &'a [u8],
}

/// Sniffing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SniffError {
    /// An interface went down. Packets of others, and of this one when it is up again, still come.
    #[error("{} went down", place(*interface))]
    InterfaceDown {
        /// The index of the one listened at; 0: one of all.
        interface: u32,
    },
    /// The kernel gave an error instead of packets.
    #[error("cannot receive packets at {}", place(*interface))]
    Receive {
        /// The index of the interface listened at; 0: all of them.
        interface: u32,
        /// The cause.
        source: io::Error,
    },
}

fn place(interface: u32) -> String {
    match interface {
        0 => "an interface".to_owned(),
        index => format!("the interface with index {index}"),
    }
}

impl Sniffer {
    /// Settings with their defaults: every packet on every interface.
    pub fn builder() -> SnifferBuilder {
        SnifferBuilder::default()
    }

    /// Waits up to `timeout` for packets, and gives those that are there, the oldest first; none
    /// after the time is over. Once stopped, it does not wait.
    ///
    /// # Errors
    ///
    /// [`SniffError`].
    pub fn receive(
        &mut self,
        timeout: Duration,
    ) -> Result<impl Iterator<Item = SniffedPacket<'_>>, SniffError> {
        let started = Instant::now();
        while self.receive_now()? == 0 {
            let rest = timeout.saturating_sub(started.elapsed());
            if rest.is_zero() || self.stop.is_set() {
                break;
            }
            self.wait(rest)?;
        }
        let readable = |packet: &crate::Received<'_>| matches!(packet.source, Source::Link(_));
        self.unreadable += self.batch.iter().filter(|packet| !readable(packet)).count() as u64;
        Ok(self.batch.iter().filter_map(|packet| {
            let Source::Link(link) = packet.source else { return None };
            // The kernel stamps every packet of a socket that asked for it.
            let timestamp = packet.timestamp.unwrap_or(SystemTime::UNIX_EPOCH);
            Some(SniffedPacket { timestamp, link, length: packet.length, bytes: packet.bytes })
        }))
    }

    fn receive_now(&mut self) -> Result<usize, SniffError> {
        let interface = self.interface;
        self.socket.receive(&mut self.batch).map_err(|source| match Errno::from_io_error(&source) {
            Some(Errno::NETDOWN) => SniffError::InterfaceDown { interface },
            _ => SniffError::Receive { interface, source },
        })
    }

    fn wait(&self, timeout: Duration) -> Result<(), SniffError> {
        sockets_sys::wait_readable([self.socket.as_fd(), self.stop.as_fd()], timeout)
            .map(drop)
            .map_err(|source| SniffError::Receive { interface: self.interface, source })
    }

    /// Ends [`receive`](Self::receive) from another thread.
    pub fn stopper(&self) -> SnifferStop {
        self.stop.handle()
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }

    /// How many packets passed the filter since it was opened, and how many of them the kernel dropped
    /// because nobody took them in time.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn statistics(&self) -> io::Result<PacketStatistics> {
        self.socket.statistics()
    }

    /// How many packets came with a link address that cannot be read here, and were left out.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

impl AsFd for Sniffer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_interface() {
        let error = SniffError::InterfaceDown { interface: 3 };
        assert_eq!(error.to_string(), "the interface with index 3 went down");
        let error = SniffError::InterfaceDown { interface: 0 };
        assert_eq!(error.to_string(), "an interface went down");
    }
}
