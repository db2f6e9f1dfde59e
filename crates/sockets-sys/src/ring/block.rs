//! One block of a receive ring, and the packets in it. Read byte by byte: total.

use std::mem;
use std::time::{Duration, SystemTime};

use super::PacketRing;
use crate::address::Name;
use crate::control::ReceivedControl;
use crate::receive_batch::Received;

/// Where in a block its status stands: at the beginning of its versioned header.
pub(super) const STATUS: usize = mem::offset_of!(libc::tpacket_block_desc, hdr);
/// Bytes before the packets.
pub(super) const HEADER: usize = mem::size_of::<libc::tpacket_block_desc>();

const _: () = assert!(STATUS.is_multiple_of(mem::align_of::<libc::tpacket_hdr_v1>()));
const _: () = assert!(mem::offset_of!(libc::tpacket_hdr_v1, block_status) == 0);

/// Packets that arrived together. Dropping it gives its memory back to the kernel.
#[derive(Debug)]
pub struct RingBlock<'a> {
    ring: &'a mut PacketRing,
    count: usize,
    first: usize,
}

impl<'a> RingBlock<'a> {
    pub(super) fn new(ring: &'a mut PacketRing) -> Self {
        let header = ring.header();
        Self {
            ring,
            count: header.num_pkts as usize,
            // From the block's beginning; the contents begin behind its header.
            first: (header.offset_to_first_pkt as usize).saturating_sub(HEADER),
        }
    }

    /// How many packets there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The packets, in the order they came.
    pub fn iter(&self) -> RingBlockIter<'_> {
        RingBlockIter { contents: self.ring.contents(), at: self.first, left: self.count }
    }
}

impl Drop for RingBlock<'_> {
    fn drop(&mut self) {
        self.ring.release();
    }
}

impl<'a> IntoIterator for &'a RingBlock<'_> {
    type Item = Received<'a>;
    type IntoIter = RingBlockIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The packets of a [`RingBlock`], in the order they came.
// `left` more, the next at `at`.
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct RingBlockIter<'a> {
    contents: &'a [u8],
    at: usize,
    left: usize,
}

const NEXT: usize = mem::offset_of!(libc::tpacket3_hdr, tp_next_offset);
const SECONDS: usize = mem::offset_of!(libc::tpacket3_hdr, tp_sec);
const NANOSECONDS: usize = mem::offset_of!(libc::tpacket3_hdr, tp_nsec);
const KEPT: usize = mem::offset_of!(libc::tpacket3_hdr, tp_snaplen);
const LENGTH: usize = mem::offset_of!(libc::tpacket3_hdr, tp_len);
/// Where the packet begins, from its header: at the link header, or for cooked packets where the
/// network header is.
const START: usize = mem::offset_of!(libc::tpacket3_hdr, tp_mac);
/// The link address follows the header, aligned.
const ADDRESS: usize =
    mem::size_of::<libc::tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);

impl<'a> Iterator for RingBlockIter<'a> {
    type Item = Received<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let packet = self.contents.get(self.at..)?;
        let word = |at: usize| Some(u32::from_ne_bytes(*packet.get(at..)?.first_chunk()?));
        let start = u16::from_ne_bytes(*packet.get(START..)?.first_chunk()?);
        let bytes = packet.get(usize::from(start)..)?.get(..word(KEPT)? as usize)?;
        let since = Duration::from_secs(word(SECONDS)?.into())
            .checked_add(Duration::from_nanos(word(NANOSECONDS)?.into()))?;
        let received = Received {
            bytes,
            length: word(LENGTH)? as usize,
            source: Name::from_link(packet.get(ADDRESS..)?.first_chunk()?).decode(Name::LINK_SIZE),
            timestamp: SystemTime::UNIX_EPOCH.checked_add(since),
            control: ReceivedControl::default(),
        };
        self.at = self.at.checked_add(word(NEXT)? as usize)?;
        Some(received)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            mut contents in prop::collection::vec(any::<u8>(), 0..400),
            small in prop::collection::vec(0_u32..100, 3),
            at in 0_usize..100,
            left in 0_usize..10,
        ) {
            for packet in (RingBlockIter { contents: &contents, at, left }) {
                prop_assert!(packet.bytes.len() <= contents.len());
            }
            // The same with offsets and lengths that fit now and then.
            for (place, value) in [NEXT, KEPT, LENGTH].into_iter().zip(small) {
                if let Some(field) = contents.get_mut(at + place..at + place + 4) {
                    field.copy_from_slice(&value.to_ne_bytes());
                }
            }
            let count = RingBlockIter { contents: &contents, at, left }.count();
            prop_assert!(count <= left);
        }
    }
}
