//! What of the blocks in work is done: handed out in order, counted by each worker.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::block::{BlockSet, Blocks};
use crate::state::{PortReport, PortState, Reason, Tally};

/// Hands out the blocks of a shard that are not finished, each once.
#[derive(Debug)]
pub(super) struct BlockQueue {
    blocks: Blocks,
    finished: BlockSet,
    next: Mutex<u64>,
}

impl BlockQueue {
    pub(super) fn new(blocks: Blocks, finished: BlockSet) -> Self {
        Self { blocks, finished, next: Mutex::new(0) }
    }

    pub(super) fn next(&self) -> Option<Range<u64>> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.finished.first_missing(*next);
        let block = self.blocks.get(position)?;
        *next = position + 1;
        Some(block)
    }
}

/// What came of a block, or of one port that had been put off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) tally: Tally,
    /// Why the first port that could not be asked was not.
    pub(super) error: Option<Reason>,
    /// Its ports that were put off.
    pub(super) deferred: Vec<u64>,
}

impl Counted {
    pub(super) fn count(&mut self, report: &PortReport) {
        let state = report.state();
        self.tally.count(state);
        if state == PortState::Error {
            self.error = self.error.or(Some(report.reason));
        }
    }
}

/// The blocks that one worker has in work. As many as its ports under way belong to, at most.
#[derive(Debug)]
pub(super) struct BlockCounts {
    blocks: Blocks,
    /// By position: how many ports are left, and what came of the others.
    open: HashMap<u64, (u64, Counted)>,
}

impl BlockCounts {
    pub(super) fn new(blocks: Blocks) -> Self {
        Self { blocks, open: HashMap::new() }
    }

    pub(super) fn begin(&mut self, block: &Range<u64>) {
        let position = self.blocks.position(block.start);
        self.open.insert(position, (block.end - block.start, Counted::default()));
    }

    /// A port has its verdict. Where it was the last of its block, that is finished.
    pub(super) fn judged(&mut self, index: u64, report: &PortReport) -> Option<(u64, Counted)> {
        self.done(index, |counted| counted.count(report))
    }

    /// A port was put off; so far, that is all that is to be done about it.
    pub(super) fn deferred(&mut self, index: u64) -> Option<(u64, Counted)> {
        self.done(index, |counted| counted.deferred.push(index))
    }

    fn done(&mut self, index: u64, note: impl FnOnce(&mut Counted)) -> Option<(u64, Counted)> {
        let position = self.blocks.position(index);
        let (left, counted) = self.open.get_mut(&position)?;
        note(counted);
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.open.remove(&position).map(|(_, counted)| (position, counted))
    }
}

#[cfg(test)]
mod tests {
    use ports_core::{Port, Transport};

    use super::*;
    use crate::block::Shard;

    fn report(reason: Reason) -> PortReport {
        PortReport {
            address: [127, 0, 0, 1].into(),
            port: Port::new(1),
            transport: Transport::Tcp,
            reason,
            rtt: None,
            attempts: 1,
        }
    }

    #[test]
    fn finished_blocks_are_not_handed_out() {
        let blocks = Blocks::new(100, Shard::new(2, 2).unwrap());
        let mut finished = BlockSet::default();
        assert!(finished.insert(1..2));
        let queue = BlockQueue::new(blocks, finished);
        assert_eq!(queue.next(), Some(16..32));
        assert_eq!(queue.next(), Some(80..96));
        assert_eq!((queue.next(), queue.next()), (None, None));
    }

    #[test]
    fn a_block_ends_with_its_last_port() {
        let mut counts = BlockCounts::new(Blocks::new(18, Shard::WHOLE));
        counts.begin(&(16..18));
        counts.begin(&(0..16));
        assert_eq!(counts.deferred(16), None);
        for index in 0..15 {
            assert_eq!(counts.judged(index, &report(Reason::Reset)), None);
        }
        let (position, counted) = counts.judged(17, &report(Reason::NoRoute)).unwrap();
        assert_eq!((position, counted.tally.probes, counted.tally.errors), (1, 1, 1));
        assert_eq!((counted.error, counted.deferred), (Some(Reason::NoRoute), vec![16]));
        let (position, counted) = counts.judged(15, &report(Reason::SynAck)).unwrap();
        assert_eq!((position, counted.tally.open, counted.tally.closed), (0, 1, 15));
        assert!(counts.open.is_empty());
    }
}
