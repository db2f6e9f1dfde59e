//! Many datagrams received at once, in memory that is used again.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;

use bytes::Bytes;
use sockets_sys::{ReceiveBatch, ReceivedControl, Source};

use crate::arrival::{Arrival, canonical};
use crate::datagram::Datagram;
use crate::segments::Segments;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub fn iter(&self) -> impl Iterator<Item = BorrowedDatagram<'_>> {
        let carried = self.carried.as_ref();
        let filled = if carried.is_some() { 0 } else { self.buffers.len() };
        let carried = carried.into_iter().flat_map(|carried| {
            let Carried { bytes, arrival } = carried;
            let source = arrival.source;
            let told = Told {
                destination: arrival.destination,
                local: arrival.local,
                interface: arrival.interface,
            };
            datagrams(bytes, arrival.segments(), source, told)
        });
        let heard = self.buffers.iter().take(filled).enumerate();
        let heard = heard.filter(|(place, _)| !self.unheard.contains(place));
        carried.chain(heard.flat_map(|(_, received)| {
            let ReceivedControl { destination, local, interface, segment_size, .. } =
                received.control;
            let segments = Segments::new(received.length, segment_size);
            let told = Told { destination, local, interface };
            datagrams(received.bytes, segments, sender(&received.source), told)
        }))
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
        let told = self.buffers.iter().filter_map(|received| received.control.kernel_drops);
        if self.carried.is_some() { None } else { told.last() }
    }
}

#[derive(Clone, Copy)]
struct Told {
    destination: Option<IpAddr>,
    local: Option<IpAddr>,
    interface: u32,
}

/// The datagrams of one buffer; of a cut one the last may have lost their ends, or all.
fn datagrams(
    bytes: &[u8],
    segments: Segments,
    source: SocketAddr,
    told: Told,
) -> impl Iterator<Item = BorrowedDatagram<'_>> {
    segments.ranges().map(move |range| {
        let length = range.len();
        let Told { destination, local, interface } = told;
        let kept = range.start.min(bytes.len())..range.end.min(bytes.len());
        BorrowedDatagram { data: &bytes[kept], length, source, destination, local, interface }
    })
}

/// The kernel names the sender of every datagram of an internet socket, and a [`UdpSocket`] is
/// opened on no other.
///
/// [`UdpSocket`]: crate::UdpSocket
fn sender(source: &Source) -> SocketAddr {
    match source {
        Source::Socket(address) => canonical(*address),
        Source::Unknown | Source::Link(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;

    use super::*;

    const NOTHING: Told = Told { destination: None, local: None, interface: 0 };

    #[test]
    fn of_what_was_cut_each_datagram_tells_what_it_lost() {
        let segments = Segments::new(10, NonZeroU16::new(4));
        let source = SocketAddr::from(([127, 0, 0, 1], 9));
        let seen: Vec<_> = datagrams(b"012345", segments, source, NOTHING)
            .map(|datagram| (datagram.data, datagram.length, datagram.is_truncated()))
            .collect();
        assert_eq!(seen, [(&b"0123"[..], 4, false), (b"45", 4, true), (b"", 2, true)]);
    }

    proptest! {
        /// As if the bytes that came had been parted first, and cut then.
        #[test]
        fn of_any_piece_cut_anywhere(length in 0_usize..70_000, size: u16, kept in 0_usize..70_000) {
            let segments = Segments::new(length, NonZeroU16::new(size));
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let kept = &bytes[..kept.min(length)];
            let source = SocketAddr::from(([127, 0, 0, 1], 9));
            let stride = if size == 0 { length.max(1) } else { size.into() };
            let mut at = 0;
            for datagram in datagrams(kept, segments, source, NOTHING) {
                let whole = stride.min(length - at);
                let left = kept.get(at..).unwrap_or_default();
                prop_assert_eq!(datagram.data, &left[..left.len().min(whole)]);
                prop_assert_eq!(datagram.length, whole);
                prop_assert_eq!(datagram.is_truncated(), at + whole > kept.len());
                at += whole;
            }
            prop_assert_eq!(at, length);
        }
    }

    #[test]
    fn a_batch_has_at_least_one_buffer() {
        let batch = RecvBatch::new(0, 10);
        assert_eq!((batch.buffers.capacity(), batch.len(), batch.is_empty()), (1, 0, true));
        assert_eq!(batch.iter().count(), 0);
    }
}
