//! The datagrams of a batch, one after the other.

use std::iter::FusedIterator;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sockets_sys::{ReceiveBatchIter, Received, ReceivedControl, Source};

use super::{BorrowedDatagram, Carried, RecvBatch};
use crate::arrival::canonical;
use crate::segments::Segments;

/// The datagrams of a [`RecvBatch`], in the order they came.
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct RecvBatchIter<'a> {
    /// What is left of the buffer that is being parted.
    piece: Piece<'a>,
    buffers: std::iter::Enumerate<ReceiveBatchIter<'a>>,
    /// As [`RecvBatch::unheard`], those that are still ahead.
    unheard: &'a [usize],
    left: usize,
}

impl<'a> RecvBatchIter<'a> {
    pub(super) fn new(batch: &'a RecvBatch) -> Self {
        let mut buffers = batch.buffers.iter();
        let piece = match &batch.carried {
            Some(carried) => {
                // The buffers hold nothing of this call.
                buffers.by_ref().for_each(drop);
                Piece::of_carried(carried)
            }
            None => Piece::NONE,
        };
        Self { piece, buffers: buffers.enumerate(), unheard: &batch.unheard, left: batch.datagrams }
    }
}

impl<'a> Iterator for RecvBatchIter<'a> {
    type Item = BorrowedDatagram<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(datagram) = self.piece.next() {
                self.left = self.left.saturating_sub(1);
                return Some(datagram);
            }
            let (place, received) = self.buffers.next()?;
            match self.unheard.split_first() {
                Some((first, rest)) if *first == place => self.unheard = rest,
                _ => self.piece = Piece::of_buffer(&received),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for RecvBatchIter<'_> {}
impl FusedIterator for RecvBatchIter<'_> {}

impl<'a> IntoIterator for &'a RecvBatch {
    type Item = BorrowedDatagram<'a>;
    type IntoIter = RecvBatchIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What one buffer got; of a cut one the last datagrams may have lost their ends, or all.
#[derive(Clone, Debug)]
struct Piece<'a> {
    bytes: &'a [u8],
    segments: Segments,
    source: SocketAddr,
    destination: Option<IpAddr>,
    local: Option<IpAddr>,
    interface: u32,
    /// Where the next datagram begins; `None` after the last one.
    next: Option<usize>,
}

impl<'a> Piece<'a> {
    const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    const NONE: Self = Self {
        bytes: &[],
        segments: Segments::new(0, None),
        source: Self::NOBODY,
        destination: None,
        local: None,
        interface: 0,
        next: None,
    };

    fn of_carried(Carried { bytes, arrival }: &'a Carried) -> Self {
        Self {
            bytes,
            segments: arrival.segments(),
            source: arrival.source,
            destination: arrival.destination,
            local: arrival.local,
            interface: arrival.interface,
            next: Some(0),
        }
    }

    fn of_buffer(received: &Received<'a>) -> Self {
        let ReceivedControl { destination, local, interface, segment_size, .. } = received.control;
        let segments = Segments::new(received.length, segment_size);
        let (bytes, source) = (received.bytes, sender(&received.source));
        Self { bytes, segments, source, destination, local, interface, next: Some(0) }
    }
}

impl<'a> Iterator for Piece<'a> {
    type Item = BorrowedDatagram<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { bytes, segments, source, destination, local, interface, .. } = *self;
        let range = segments.at(self.next?);
        self.next = segments.after(&range);
        let length = range.len();
        let kept = range.start.min(bytes.len())..range.end.min(bytes.len());
        Some(BorrowedDatagram { data: &bytes[kept], length, source, destination, local, interface })
    }
}

/// The kernel names the sender of every datagram of an internet socket, and a [`UdpSocket`] is
/// opened on no other.
///
/// [`UdpSocket`]: crate::UdpSocket
fn sender(source: &Source) -> SocketAddr {
    match source {
        Source::Socket(address) => canonical(*address),
        Source::Unknown | Source::Link(_) => Piece::NOBODY,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;

    use super::*;

    fn parted(bytes: &[u8], segments: Segments) -> Piece<'_> {
        Piece { bytes, segments, next: Some(0), ..Piece::NONE }
    }

    #[test]
    fn of_what_was_cut_each_datagram_tells_what_it_lost() {
        let segments = Segments::new(10, NonZeroU16::new(4));
        let seen: Vec<_> = parted(b"012345", segments)
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
            let stride = if size == 0 { length.max(1) } else { size.into() };
            let mut at = 0;
            for datagram in parted(kept, segments) {
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
}
