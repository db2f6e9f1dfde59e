//! What of the work is done: pieces of blocks, handed out in order and counted by each worker.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::block::{Blocks, CELL_LEN, CellSet};
use crate::state::{PortReport, PortState, Reason, Tally};

/// Hands out the cells of a shard that are not finished, each once. A piece is some of one block in a row.
#[derive(Debug)]
pub(super) struct PieceQueue {
    blocks: Blocks,
    finished: CellSet,
    next: Mutex<u64>,
}

impl PieceQueue {
    pub(super) fn new(blocks: Blocks, finished: CellSet) -> Self {
        Self { blocks, finished, next: Mutex::new(0) }
    }

    /// The next piece, of about `len` indices, and never of none.
    pub(super) fn next(&self, len: u64) -> Option<Range<u64>> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.finished.first_missing(*next);
        if first >= self.blocks.cells() {
            return None;
        }
        let rest = self.blocks.rest_of_block(first).end;
        let free = self.finished.first_present(first).map_or(rest, |end| end.min(rest));
        *next = free.min(first + (len / CELL_LEN).max(1));
        Some(self.blocks.indices(&(first..*next)))
    }
}

/// What came of a piece, or of one port that had been put off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) tally: Tally,
    /// Why the first port that could not be asked was not.
    pub(super) error: Option<Reason>,
    /// Those of its ports that could not be asked.
    pub(super) failed: Vec<u64>,
    /// Its ports that were put off.
    pub(super) deferred: Vec<u64>,
}

impl Counted {
    pub(super) fn count(&mut self, index: u64, report: &PortReport) {
        let state = report.state();
        self.tally.count(state);
        if state == PortState::Error {
            self.error = self.error.or(Some(report.reason));
            self.failed.push(index);
        }
    }

    /// Ports that could not be asked have no verdict then, and are still to be asked.
    pub(super) fn put_off_failed(&mut self) {
        self.tally.probes -= self.tally.errors;
        self.tally.errors = 0;
        self.error = None;
        self.deferred.append(&mut self.failed);
    }
}

/// The pieces that one worker has in work: as many as its ports under way belong to, at most.
#[derive(Debug, Default)]
pub(super) struct PieceCounts {
    /// By first index.
    open: BTreeMap<u64, Piece>,
}

#[derive(Debug)]
struct Piece {
    end: u64,
    /// How many ports have neither a verdict nor were put off.
    left: u64,
    counted: Counted,
}

impl PieceCounts {
    pub(super) fn begin(&mut self, piece: &Range<u64>) {
        let left = piece.end - piece.start;
        self.open.insert(piece.start, Piece { end: piece.end, left, counted: Counted::default() });
    }

    /// A port has its verdict. Where it was the last of its piece, that is finished.
    pub(super) fn judged(
        &mut self,
        index: u64,
        report: &PortReport,
    ) -> Option<(Range<u64>, Counted)> {
        self.done(index, |counted| counted.count(index, report))
    }

    /// A port was put off; so far, that is all that is to be done about it.
    pub(super) fn deferred(&mut self, index: u64) -> Option<(Range<u64>, Counted)> {
        self.done(index, |counted| counted.deferred.push(index))
    }

    fn done(
        &mut self,
        index: u64,
        note: impl FnOnce(&mut Counted),
    ) -> Option<(Range<u64>, Counted)> {
        let (start, piece) = self.open.range_mut(..=index).next_back()?;
        let start = *start;
        note(&mut piece.counted);
        piece.left -= 1;
        if piece.left > 0 {
            return None;
        }
        self.open.remove(&start).map(|piece| (start..piece.end, piece.counted))
    }
}

#[cfg(test)]
mod tests {
    use ports_core::{Port, Transport};
    use proptest::prelude::*;

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

    proptest! {
        /// Whatever is finished and however long the pieces are: every other index once, and never two
        /// blocks in one piece.
        #[test]
        fn every_unfinished_index_once(
            plan_len in 1_u64..9_000,
            count in 1_u32..4,
            done in prop::collection::vec((0_u64..600, 1_u64..30), 0..10),
            lens in prop::collection::vec(0_u64..5_000, 1..20),
        ) {
            let blocks = Blocks::new(plan_len, Shard::new(count, count).unwrap());
            let mut finished = CellSet::default();
            for (first, len) in done {
                let _ = finished.insert(first..(first + len).min(blocks.cells()).max(first));
            }
            let queue = PieceQueue::new(blocks, finished.clone());
            let mut seen = vec![false; plan_len as usize];
            let mut lens = lens.into_iter().cycle();
            while let Some(piece) = queue.next(lens.next().unwrap()) {
                prop_assert!(!piece.is_empty());
                let block = piece.start / blocks.block_len();
                prop_assert_eq!(block, (piece.end - 1) / blocks.block_len());
                for index in piece {
                    prop_assert!(!std::mem::replace(&mut seen[index as usize], true));
                }
            }
            for index in 0..plan_len {
                let due = blocks.contains(index) && !finished.contains(blocks.cell(index));
                prop_assert_eq!(seen[index as usize], due);
            }
        }
    }

    #[test]
    fn a_piece_ends_with_its_last_port() {
        let mut counts = PieceCounts::default();
        counts.begin(&(16..18));
        counts.begin(&(0..16));
        assert_eq!(counts.deferred(16), None);
        for index in 0..15 {
            assert_eq!(counts.judged(index, &report(Reason::Reset)), None);
        }
        let (piece, counted) = counts.judged(17, &report(Reason::NoRoute)).unwrap();
        assert_eq!((piece, counted.tally.probes, counted.tally.errors), (16..18, 1, 1));
        assert_eq!((counted.error, &counted.deferred), (Some(Reason::NoRoute), &vec![16]));
        let mut put_off = counted.clone();
        put_off.put_off_failed();
        assert_eq!(put_off, Counted { deferred: vec![16, 17], ..Counted::default() });
        let (piece, counted) = counts.judged(15, &report(Reason::SynAck)).unwrap();
        assert_eq!((piece, counted.tally.open, counted.tally.closed), (0..16, 1, 15));
        assert!(counts.open.is_empty());
    }
}
