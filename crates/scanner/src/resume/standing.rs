//! How far a scan is, by its resume file.

use std::collections::BTreeSet;

use super::error::Damage;
use super::record::Checkpoint;
use crate::block::{Blocks, CellSet};
use crate::state::{Reason, Tally};

/// The sum of all checkpoints, but for their findings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) finished: CellSet,
    /// Indices in finished cells that still want a verdict: put off, or not to be asked so far.
    pub(crate) deferred: BTreeSet<u64>,
    pub(crate) tally: Tally,
    pub(crate) hosts_up: u64,
    pub(crate) kernel_drops: u64,
    pub(crate) first_error: Option<Reason>,
}

impl Standing {
    /// Adds a checkpoint.
    pub(super) fn add(&mut self, checkpoint: &Checkpoint, blocks: &Blocks) -> Result<(), Damage> {
        let mut indices = 0;
        for (first, last) in &checkpoint.cells {
            if first > last || *last >= blocks.cells() {
                return Err(Damage::Cells);
            }
            let cells = *first..last + 1;
            indices += blocks.cells_len(&cells);
            if !self.finished.insert(cells) {
                return Err(Damage::Cells);
            }
        }
        for index in &checkpoint.deferred {
            let known = blocks.contains(*index)
                && self.finished.contains(blocks.cell(*index))
                && self.deferred.insert(*index);
            indices = indices.checked_sub(1).filter(|_| known).ok_or(Damage::Cells)?;
        }
        for index in &checkpoint.judged {
            if !self.deferred.remove(index) {
                return Err(Damage::Cells);
            }
            indices += 1;
        }
        if checkpoint.tally.count() != Some(indices) {
            return Err(Damage::Count);
        }
        // Finished cells are disjoint, so that all tallies together are at most the plan's length.
        self.tally.add(&checkpoint.tally.tally());
        self.tally.sent = checkpoint.sent;
        self.kernel_drops = checkpoint.kernel_drops;
        self.hosts_up += checkpoint.hosts.len() as u64;
        self.first_error = self.first_error.or(checkpoint.first_error);
        Ok(())
    }

    /// One checkpoint that stands for all of them, but for hosts and findings.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::new(self.tally.sent, self.kernel_drops);
        checkpoint.finish(self.finished.runs());
        checkpoint.deferred = self.deferred.iter().copied().collect();
        checkpoint.add(&self.tally, self.first_error);
        checkpoint
    }
}
