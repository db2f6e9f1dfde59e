//! Many datagrams received at once, in memory that is used again.

mod iter;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use bytes::Bytes;
use sockets_sys::ReceiveBatch;

use crate::arrival::Arrival;
use crate::datagram::Datagram;
use crate::segments::Segments;

pub use iter::RecvBatchIter;

/// Buffers for [`recv_many`](crate::UdpSocket::recv_many): a fixed number of a fixed size, and the
/// datagrams of the last call in them. Nothing is allocated for a datagram.
///
/// A datagram that is longer than a buffer is cut, and says so. On a socket with
/// [`gro`](crate::UdpSocketBuilder::gro) a buffer may get many datagrams in one piece: give it
/// buffers of [`RecvBatch::WHOLE`] bytes.
#[derive(Debug)]
pub struct RecvBatch {
    buffers: ReceiveBatch,
    /// What [`recv`](crate::UdpSocket::recv) had left of datagrams that came as one; if there is
    /// something, the buffers hold nothing.
    carried: Option<Carried>,
    /// The places of buffers whose datagrams are for nobody here.
    unheard: Vec<usize>,
    datagrams: usize,
}

#[derive(Debug)]
struct Carried {
    bytes: Vec<u8>,
    arrival: Arrival,
}

/// One datagram of a [`RecvBatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BorrowedDatagram<'a> {
    /// The payload, as much of it as the buffer had room for.
    pub data: &'a [u8],
    /// How many bytes the datagram had; more than `data` has where the buffer was too small.
    pub length: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// As [`Datagram::destination`](crate::Datagram::destination).
    pub destination: Option<IpAddr>,
    /// As [`Datagram::local`](crate::Datagram::local).
    pub local: Option<IpAddr>,
    /// As [`Datagram::interface`](crate::Datagram::interface).
    pub interface: u32,
}

impl BorrowedDatagram<'_> {
    /// Whether the end of the datagram did not fit into the buffer and is lost.
    pub const fn is_truncated(&self) -> bool {
        self.data.len() < self.length
    }

    /// A copy of it, as far as the buffer had room.
    pub fn to_datagram(&self) -> Datagram {
        Datagram {
            data: Bytes::copy_from_slice(self.data),
            source: self.source,
            destination: self.destination,
            local: self.local,
            interface: self.interface,
        }
    }
}

impl RecvBatch {
    /// A buffer size that no datagram, and nothing that the kernel hands over as one, is longer
    /// than.
    pub const WHOLE: usize = 65_535;

    /// `buffers` buffers of `buffer_size` bytes each: at least one, and at most the 1,024 that
    /// the kernel fills in one call.
    ///
    /// # Panics
    ///
    /// Where the two multiply to more than the memory there is.
    pub fn new(buffers: usize, buffer_size: usize) -> Self {
        let buffers = ReceiveBatch::new(buffers.max(1), buffer_size);
        Self { buffers, carried: None, unheard: Vec::new(), datagrams: 0 }
    }

    /// How many datagrams the last call brought.
    pub const fn len(&self) -> usize {
        self.datagrams
    }

    /// Whether it brought none.
    pub const fn is_empty(&self) -> bool {
        self.datagrams == 0
    }

    /// The datagrams of the last call, in the order they came.
    pub fn iter(&self) -> RecvBatchIter<'_> {
        RecvBatchIter::new(self)
    }

    /// Forgets what the last call brought.
    pub fn clear(&mut self) {
        (self.carried, self.datagrams) = (None, 0);
        self.unheard.clear();
        self.buffers.clear();
    }

    /// Fills the buffers with what the kernel holds. `WouldBlock` where that is nothing. What is not
    /// `heard`, by where it was sent to and the interface it came to, is left out.
    pub(crate) fn fill(
        &mut self,
        socket: impl AsFd,
        heard: impl Fn(Option<IpAddr>, u32) -> bool,
    ) -> io::Result<()> {
        self.datagrams = 0;
        self.unheard.clear();
        if self.buffers.receive(socket)? == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (place, received) in self.buffers.iter().enumerate() {
            let control = &received.control;
            if heard(control.destination, control.interface) {
                self.datagrams += Segments::new(received.length, control.segment_size).count();
            } else {
                self.unheard.push(place);
            }
        }
        Ok(())
    }

    /// Takes over datagrams that have been received as one already.
    pub(crate) fn carry(&mut self, arrival: Arrival, bytes: &[u8]) {
        self.datagrams = arrival.segments().count();
        self.carried = Some(Carried { bytes: bytes.to_owned(), arrival });
    }

    /// The kernel's drop counter with the last of the datagrams that tells it.
    pub(crate) fn kernel_drops(&self) -> Option<u32> {
        let mut told = self.buffers.iter().filter_map(|received| received.control.kernel_drops);
        if self.carried.is_some() { None } else { told.next_back() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_at_least_one_buffer() {
        let batch = RecvBatch::new(0, 10);
        assert_eq!((batch.buffers.capacity(), batch.len(), batch.is_empty()), (1, 0, true));
        assert_eq!((batch.iter().len(), batch.iter().count()), (0, 0));
    }
}
