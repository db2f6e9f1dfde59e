//! A batch of buffers to receive into in one system call (`recvmmsg`).

use std::io;
use std::iter::FusedIterator;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::SystemTime;

use rustix::net::SocketType;

use crate::address::Name;
use crate::control::{Control, ReceivedControl};
use crate::headers::{Headers, Slot};
use crate::link::LinkSource;

/// Where a received packet came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The kernel did not say, or in a way that is not understood here.
    Unknown,
    /// An address and port; the port of a raw IP socket is 0.
    Socket(SocketAddr),
    /// A link address, of a packet socket.
    Link(LinkSource),
}

/// One received packet, borrowed from its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received<'a> {
    /// The packet, as much of it as the buffer had room for.
    pub bytes: &'a [u8],
    /// The packet's true length in bytes: more than `bytes` where it was cut.
    pub length: usize,
    /// Where it came from.
    pub source: Source,
    /// When the kernel received it, by the system's clock; `None` unless
    /// [`set_timestamps`](crate::set_timestamps) is on.
    pub timestamp: Option<SystemTime>,
    /// What else the kernel tells, of a socket whose options ask for it.
    pub control: ReceivedControl,
}

impl Received<'_> {
    /// Whether the buffer was too small for the packet.
    pub const fn is_truncated(&self) -> bool {
        self.length > self.bytes.len()
    }
}

/// Buffers to receive into: a fixed number of a fixed size, in one piece of memory. Nothing is
/// allocated after [`ReceiveBatch::new`].
pub struct ReceiveBatch {
    arena: Box<[u8]>,
    buffer_size: usize,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    headers: Headers,
    /// What the control messages of each received packet say, read once.
    told: Vec<(Option<SystemTime>, ReceivedControl)>,
    received: usize,
}

impl ReceiveBatch {
    /// The most packets the kernel gives in one call, and so the most buffers of a batch.
    pub const MOST_PER_CALL: usize = 1024;

    /// `buffers` buffers of `buffer_size` bytes each; at most [`Self::MOST_PER_CALL`] are made.
    ///
    /// # Panics
    ///
    /// Where the two multiply to more than the memory there is.
    pub fn new(buffers: usize, buffer_size: usize) -> Self {
        let buffers = buffers.min(Self::MOST_PER_CALL);
        Self {
            arena: vec![0; buffers.saturating_mul(buffer_size)].into(),
            buffer_size,
            names: vec![Name::EMPTY; buffers].into(),
            controls: vec![Control::EMPTY; buffers].into(),
            headers: Headers::new(buffers),
            told: Vec::with_capacity(buffers),
            received: 0,
        }
    }

    /// How many buffers there are.
    pub const fn capacity(&self) -> usize {
        self.names.len()
    }

    /// How large each is, in bytes.
    pub const fn buffer_size(&self) -> usize {
        self.buffer_size
    }

    /// Receives what is there, up to [`capacity`](Self::capacity) packets, in one call that does
    /// not wait; what was received before is gone. Returns how many came: 0 where none was there.
    ///
    /// # Errors
    ///
    /// What the kernel says when it gave none; `WouldBlock` is not an error here. A packet socket
    /// says `ENETDOWN` once after its interface went down. `InvalidInput` for a stream socket, from
    /// which nothing is taken: it has no packets, and would throw away what their true length is asked
    /// of (`MSG_TRUNC` in tcp(7)). Descriptors that a peer sends along over a UNIX socket are closed.
    pub fn receive(&mut self, fd: impl AsFd) -> io::Result<usize> {
        self.received = 0;
        refuse_streams(&fd)?;
        // `max(1)`: the chunks of an arena of empty buffers.
        let mut chunks = self.arena.chunks_mut(self.buffer_size.max(1));
        let slots = self.names.iter_mut().zip(&mut self.controls).map(|(name, control)| Slot {
            bytes: chunks.next().unwrap_or_default(),
            name,
            control,
        });
        match self.headers.receive(fd.as_fd(), slots) {
            Ok(count) => self.received = count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        self.told.clear();
        self.told.extend((0..self.received).map(|index| {
            let filled = self.headers.filled(index);
            // SAFETY: the kernel has just written it, for this packet.
            unsafe { self.controls[index].close_descriptors(filled.control_size) };
            let (timestamp, mut control) = self.controls[index].read(filled.control_size);
            control.truncated = filled.control_truncated;
            (timestamp, control)
        }));
        Ok(self.received)
    }

    /// Forgets what was received.
    pub fn clear(&mut self) {
        self.received = 0;
    }

    /// How many packets the last [`receive`](Self::receive) brought.
    pub const fn len(&self) -> usize {
        self.received
    }

    /// Whether it brought none.
    pub const fn is_empty(&self) -> bool {
        self.received == 0
    }

    /// The packets of the last [`receive`](Self::receive), in the order they came.
    pub fn iter(&self) -> ReceiveBatchIter<'_> {
        ReceiveBatchIter { batch: self, places: 0..self.received }
    }

    /// The packet in the buffer `index`, which was filled.
    fn packet(&self, index: usize) -> Received<'_> {
        let filled = self.headers.filled(index);
        let start = index * self.buffer_size;
        let kept = filled.length.min(self.buffer_size);
        let (timestamp, control) = self.told[index];
        Received {
            bytes: &self.arena[start..start + kept],
            length: filled.length,
            source: self.names[index].decode(filled.name_size),
            timestamp,
            control,
        }
    }
}

/// The packets of a [`ReceiveBatch`], in the order they came.
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct ReceiveBatchIter<'a> {
    batch: &'a ReceiveBatch,
    places: Range<usize>,
}

impl<'a> Iterator for ReceiveBatchIter<'a> {
    type Item = Received<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.places.next().map(|place| self.batch.packet(place))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.places.nth(n).map(|place| self.batch.packet(place))
    }
}

impl DoubleEndedIterator for ReceiveBatchIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.places.next_back().map(|place| self.batch.packet(place))
    }
}

impl ExactSizeIterator for ReceiveBatchIter<'_> {}
impl FusedIterator for ReceiveBatchIter<'_> {}

impl<'a> IntoIterator for &'a ReceiveBatch {
    type Item = Received<'a>;
    type IntoIter = ReceiveBatchIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Asked each time: a descriptor's number says nothing of the socket it was a call ago.
fn refuse_streams(fd: impl AsFd) -> io::Result<()> {
    if rustix::net::sockopt::socket_type(fd)? == SocketType::STREAM {
        let reason = "a stream socket has no packets to receive";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(())
}

impl std::fmt::Debug for ReceiveBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiveBatch")
            .field("received", &self.received)
            .field("capacity", &self.capacity())
            .field("buffer_size", &self.buffer_size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
