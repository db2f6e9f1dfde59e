//! The counters one socket writes to: single writer, no locked instruction.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::counters::Counters;
use crate::shared::{GroupIndex, Shared};

/// The handles a block starts with: one for each direction.
const HANDLES: u32 = 2;

/// Adds to a counter that has one writer.
///
/// A plain load and store instead of an atomic add, which would cost a locked instruction. No
/// addition gets lost, because nobody else stores: each lane is written through one handle only
/// ([`InboundHandle`] or [`OutboundHandle`], neither is `Clone`), and the handle has to be borrowed
/// mutably. Readers may see a value that is a moment old, never one that is torn.
#[inline]
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).saturating_add(amount), Ordering::Relaxed);
}

/// What came in. A cache line of its own, so that the reading task and the writing task of one
/// socket, and the tasks of two sockets, do not take it from each other.
#[derive(Default)]
#[repr(align(64))]
struct InboundLane {
    bytes: AtomicU64,
    messages: AtomicU64,
    dropped_messages: AtomicU64,
    discarded_bytes: AtomicU64,
}

/// What went out, and what did not.
#[derive(Default)]
#[repr(align(64))]
struct OutboundLane {
    bytes: AtomicU64,
    messages: AtomicU64,
    dropped_messages: AtomicU64,
    dropped_bytes: AtomicU64,
}

/// One set of counters. It is listed among the live ones from its creation until its second handle
/// is dropped; its sums then go to the retired totals.
pub(crate) struct Block {
    inbound: InboundLane,
    outbound: OutboundLane,
    handles: AtomicU32,
    pub(crate) group: GroupIndex,
    /// Where it is listed.
    pub(crate) slot: usize,
    pub(crate) shared: Arc<Shared>,
}

impl Block {
    pub(crate) fn new(shared: Arc<Shared>, group: GroupIndex, slot: usize) -> Self {
        Self {
            inbound: InboundLane::default(),
            outbound: OutboundLane::default(),
            handles: AtomicU32::new(HANDLES),
            group,
            slot,
            shared,
        }
    }

    /// Adds what was transferred so far to `sums`. A message whose bytes are counted may be missing
    /// from the message count for the moment in which it is being recorded.
    pub(crate) fn add_to(&self, sums: &mut Counters) {
        let add = |sum: &mut u64, counter: &AtomicU64| {
            *sum = sum.saturating_add(counter.load(Ordering::Relaxed));
        };
        add(&mut sums.bytes_received, &self.inbound.bytes);
        add(&mut sums.messages_received, &self.inbound.messages);
        add(&mut sums.bytes_sent, &self.outbound.bytes);
        add(&mut sums.messages_sent, &self.outbound.messages);
        add(&mut sums.dropped_received, &self.inbound.dropped_messages);
        add(&mut sums.discarded_bytes, &self.inbound.discarded_bytes);
        add(&mut sums.dropped_messages, &self.outbound.dropped_messages);
        add(&mut sums.dropped_bytes, &self.outbound.dropped_bytes);
    }

    /// Gives up one handle; the last one retires the block.
    fn release(&self) {
        // AcqRel as in `Arc`: whoever comes last sees all that the other handle wrote.
        if self.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.retire(self);
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sums = Counters::default();
        self.add_to(&mut sums);
        f.debug_struct("Block")
            .field("slot", &self.slot)
            .field("sums", &sums)
            .finish_non_exhaustive()
    }
}

/// The right to write the inbound lane of a block.
#[derive(Debug)]
pub(crate) struct InboundHandle(Arc<Block>);

/// The right to write the outbound lane of a block.
#[derive(Debug)]
pub(crate) struct OutboundHandle(Arc<Block>);

/// Both handles of a new block.
pub(crate) fn handles(block: Arc<Block>) -> (InboundHandle, OutboundHandle) {
    debug_assert_eq!(block.handles.load(Ordering::Relaxed), HANDLES);
    (InboundHandle(Arc::clone(&block)), OutboundHandle(block))
}

impl InboundHandle {
    #[inline]
    pub(crate) fn dropped(&mut self, messages: u64) {
        add(&self.0.inbound.dropped_messages, messages);
    }

    #[inline]
    pub(crate) fn discarded(&mut self, bytes: u64) {
        add(&self.0.inbound.discarded_bytes, bytes);
    }

    #[inline]
    pub(crate) fn received(&mut self, bytes: u64) {
        add(&self.0.inbound.bytes, bytes);
        add(&self.0.inbound.messages, 1);
    }
}

impl OutboundHandle {
    #[inline]
    pub(crate) fn sent(&mut self, bytes: u64) {
        add(&self.0.outbound.bytes, bytes);
        add(&self.0.outbound.messages, 1);
    }

    #[inline]
    pub(crate) fn dropped(&mut self, messages: u64, bytes: u64) {
        add(&self.0.outbound.dropped_messages, messages);
        add(&self.0.outbound.dropped_bytes, bytes);
    }
}

impl Deref for InboundHandle {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.0
    }
}

impl Deref for OutboundHandle {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.0
    }
}

impl Drop for InboundHandle {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Drop for OutboundHandle {
    fn drop(&mut self) {
        self.0.release();
    }
}
