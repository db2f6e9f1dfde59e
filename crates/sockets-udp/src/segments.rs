//! How bytes are parted into datagrams of one length, the last one as long as what is left.

use std::num::NonZeroU16;
use std::ops::Range;

use sockets_sys::SendControl;

/// Where the datagrams lie in what came as one (`UDP_GRO`): of `size` bytes each, the last at most
/// as long; without a size it is one datagram. One datagram there is always, even of no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    length: usize,
    size: Option<NonZeroU16>,
}

impl Segments {
    pub(crate) const fn new(length: usize, size: Option<NonZeroU16>) -> Self {
        Self { length, size }
    }

    pub(crate) fn count(self) -> usize {
        self.size.map_or(1, |size| self.length.div_ceil(size.get().into()).max(1))
    }

    /// The datagram that begins at `start`.
    pub(crate) fn at(self, start: usize) -> Range<usize> {
        let end = self
            .size
            .map_or(self.length, |size| start.saturating_add(size.get().into()).min(self.length));
        start.min(end)..end
    }

    pub(crate) fn ranges(self) -> impl Iterator<Item = Range<usize>> {
        std::iter::successors(Some(self.at(0)), move |last| {
            self.after(last).map(|start| self.at(start))
        })
    }

    /// Where the datagram after the one at `range` begins.
    pub(crate) fn after(self, range: &Range<usize>) -> Option<usize> {
        (range.end < self.length).then_some(range.end)
    }
}

/// How many datagrams of `size` bytes the kernel may be given as one message, where the longest
/// datagram has `limit` bytes: the message is bounded as a datagram is.
pub(crate) const fn segments_per_message(size: NonZeroU16, limit: usize) -> usize {
    let fit = limit / size.get() as usize;
    if fit < SendControl::MOST_SEGMENTS { fit } else { SendControl::MOST_SEGMENTS }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{MAX_PAYLOAD_V4, MAX_PAYLOAD_V6};

    fn size(bytes: u16) -> NonZeroU16 {
        NonZeroU16::new(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn the_segments_are_the_chunks(length in 1_usize..=65_535, bytes in 1_u16..) {
            let segments = Segments::new(length, Some(size(bytes)));
            let message = vec![0; length];
            let mut at = 0;
            let mut count = 0;
            for (range, chunk) in segments.ranges().zip(message.chunks(bytes.into())) {
                prop_assert_eq!(range.start, at);
                prop_assert_eq!(range.len(), chunk.len());
                at = range.end;
                count += 1;
            }
            prop_assert_eq!((at, count), (length, segments.count()));
            prop_assert_eq!(segments.ranges().count(), count);
        }

        #[test]
        fn a_message_is_never_too_much_for_the_kernel(bytes in 1_u16..=65_507) {
            for limit in [MAX_PAYLOAD_V4, MAX_PAYLOAD_V6] {
                let most = segments_per_message(size(bytes), limit);
                prop_assert!((1..=SendControl::MOST_SEGMENTS).contains(&most));
                prop_assert!(most * usize::from(bytes) <= limit);
                // And one more would be.
                let more = most + 1;
                prop_assert!(
                    more > SendControl::MOST_SEGMENTS || more * usize::from(bytes) > limit
                );
            }
        }
    }

    #[test]
    fn nothing_is_one_empty_datagram() {
        for size in [None, NonZeroU16::new(1200)] {
            let segments = Segments::new(0, size);
            assert_eq!(
                (segments.ranges().next(), segments.ranges().count(), segments.count()),
                (Some(0..0), 1, 1)
            );
        }
    }

    #[test]
    fn without_a_size_it_is_one() {
        let mut whole = Segments::new(3000, None).ranges();
        assert_eq!((whole.next(), whole.next()), (Some(0..3000), None));
        let exact: Vec<_> = Segments::new(2400, NonZeroU16::new(1200)).ranges().collect();
        assert_eq!(exact, [0..1200, 1200..2400]);
    }

    #[test]
    fn the_longest_that_goes_at_once() {
        assert_eq!(segments_per_message(size(1200), MAX_PAYLOAD_V4), 54);
        assert_eq!(segments_per_message(size(1), MAX_PAYLOAD_V4), 64);
        assert_eq!(segments_per_message(size(65_507), MAX_PAYLOAD_V4), 1);
        assert_eq!(segments_per_message(size(65_508), MAX_PAYLOAD_V4), 0);
    }
}
