//! A batch of packets to send in one system call (`sendmmsg`).

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use crate::address::Name;
use crate::headers::{Headers, OutgoingSlot};
use crate::link::LinkAddress;

/// Where one packet of a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Where the socket is connected or bound to.
    Connected,
    /// An address and port; on a raw IP socket the port must be 0 (raw(7)).
    Socket(SocketAddr),
    /// A link address, on a packet socket.
    Link(LinkAddress),
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

impl From<LinkAddress> for Destination {
    fn from(address: LinkAddress) -> Self {
        Self::Link(address)
    }
}

/// Packets waiting to be sent: a fixed number of slots of a fixed size in one piece of memory.
/// Nothing is allocated after [`SendBatch::new`].
///
/// [`send`](Self::send) hands the waiting packets to the kernel in the order they were pushed. The
/// kernel stops at the first packet it refuses: what it took is gone from the batch, what it did
/// not take stays, the refused packet first. The next `send` tells why, or succeeds.
///
/// Slots are free again once the batch is empty.
pub struct SendBatch {
    arena: Box<[u8]>,
    packet_size: usize,
    entries: Box<[Entry]>,
    headers: Headers,
    /// The waiting packets are those of the entries `first..end`.
    first: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    name: Name,
    name_size: u32,
    length: u32,
    destination: Destination,
}

impl SendBatch {
    /// The most packets the kernel takes in one call; a larger batch takes more than one.
    pub const MOST_PER_CALL: usize = 1024;

    /// Room for `packets` packets of up to `packet_size` bytes each.
    ///
    /// # Panics
    ///
    /// Where the two multiply to more than the memory there is.
    pub fn new(packets: usize, packet_size: usize) -> Self {
        let entry = Entry {
            name: Name::EMPTY,
            name_size: 0,
            length: 0,
            destination: Destination::Connected,
        };
        // Lengths are kept in 32 bits; no packet comes near.
        let packet_size = packet_size.min(u32::MAX as usize);
        Self {
            arena: vec![0; packets.saturating_mul(packet_size)].into(),
            packet_size,
            entries: vec![entry; packets].into(),
            headers: Headers::new(packets.min(Self::MOST_PER_CALL)),
            first: 0,
            end: 0,
        }
    }

    /// How many packets it holds at most.
    pub const fn capacity(&self) -> usize {
        self.entries.len()
    }

    /// How large a packet may be, in bytes.
    pub const fn packet_size(&self) -> usize {
        self.packet_size
    }

    /// How many packets wait.
    pub const fn len(&self) -> usize {
        self.end - self.first
    }

    /// Whether no packet waits.
    pub const fn is_empty(&self) -> bool {
        self.first == self.end
    }

    /// Whether no slot is free.
    pub const fn is_full(&self) -> bool {
        self.end == self.entries.len()
    }

    /// Adds a packet.
    ///
    /// # Errors
    ///
    /// [`PushError`] where no slot is free or the packet is too large; nothing changes then.
    pub fn push(&mut self, packet: &[u8], destination: Destination) -> Result<(), PushError> {
        self.push_with(packet.len(), destination)?.copy_from_slice(packet);
        Ok(())
    }

    /// Adds a packet of `length` bytes for the caller to write in place: the slice holds what the
    /// slot held before, and all of it is sent.
    ///
    /// # Errors
    ///
    /// [`PushError`] where no slot is free or the packet is too large; nothing changes then.
    pub fn push_with(
        &mut self,
        length: usize,
        destination: Destination,
    ) -> Result<&mut [u8], PushError> {
        if length > self.packet_size {
            return Err(PushError::TooLarge { length, limit: self.packet_size });
        }
        let Some(entry) = self.entries.get_mut(self.end) else {
            return Err(PushError::Full { capacity: self.entries.len() });
        };
        // The hot path sends many packets to one next hop.
        if entry.destination != destination {
            entry.name_size = entry.name.encode(&destination);
            entry.destination = destination;
        }
        entry.length = length as u32;
        let start = self.end * self.packet_size;
        self.end += 1;
        Ok(&mut self.arena[start..start + length])
    }

    /// Hands the waiting packets to the kernel in one call that does not wait, at most
    /// [`Self::MOST_PER_CALL`] of them. Returns how many it took; they leave the batch.
    ///
    /// Taken is not sent: the interface's queueing discipline may still drop a packet, and tells this
    /// process of it (as `ENOBUFS`) only in part.
    ///
    /// Fewer than were waiting means that the first of the rest was refused; call again to learn
    /// why. An empty batch is `Ok(0)` without a call.
    ///
    /// # Errors
    ///
    /// The kernel's reason for refusing the first waiting packet, when it took none. The packet
    /// stays: it can be sent again (`WouldBlock`, `ENOBUFS`: this machine's queue is full), or be
    /// taken out with [`skip_first`](Self::skip_first).
    pub fn send(&mut self, fd: impl AsFd) -> io::Result<usize> {
        if self.is_empty() {
            return Ok(0);
        }
        // `max(1)`: the chunks of an arena of empty packets.
        let size = self.packet_size.max(1);
        let mut chunks = self.arena[self.first * self.packet_size..].chunks(size);
        let slots = self.entries[self.first..self.end].iter().map(|entry| {
            let chunk = chunks.next().unwrap_or_default();
            OutgoingSlot {
                bytes: &chunk[..entry.length as usize],
                name: &entry.name,
                name_size: entry.name_size,
                control: &[],
            }
        });
        let taken = self.headers.send(fd.as_fd(), slots)?;
        self.advance(taken);
        Ok(taken)
    }

    /// The first waiting packet: after a failed [`send`](Self::send), the one that was refused.
    pub fn first(&self) -> Option<(&[u8], Destination)> {
        self.waiting().next()
    }

    /// Takes the first waiting packet out unsent. `false` where there is none.
    pub fn skip_first(&mut self) -> bool {
        let any = !self.is_empty();
        self.advance(usize::from(any));
        any
    }

    /// The waiting packets, in order.
    pub fn waiting(&self) -> impl Iterator<Item = (&[u8], Destination)> {
        (self.first..self.end).map(|index| {
            let entry = &self.entries[index];
            let start = index * self.packet_size;
            (&self.arena[start..start + entry.length as usize], entry.destination)
        })
    }

    /// Takes all waiting packets out unsent and returns how many there were.
    pub fn clear(&mut self) -> usize {
        let waiting = self.len();
        self.advance(waiting);
        waiting
    }

    fn advance(&mut self, packets: usize) {
        self.first += packets;
        if self.first == self.end {
            (self.first, self.end) = (0, 0);
        }
    }
}

impl std::fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendBatch")
            .field("waiting", &self.len())
            .field("capacity", &self.capacity())
            .field("packet_size", &self.packet_size)
            .finish_non_exhaustive()
    }
}

/// Why a packet did not go into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// Every slot is taken.
    #[error("the batch is full: it holds {capacity} packets")]
    Full {
        /// How many packets it holds.
        capacity: usize,
    },
    /// The packet is larger than a slot.
    #[error("a packet of {length} bytes does not fit a slot of {limit}")]
    TooLarge {
        /// The packet's length, in bytes.
        length: usize,
        /// A slot's size, in bytes.
        limit: usize,
    },
}

#[cfg(test)]
mod tests;
