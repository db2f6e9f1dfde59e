//! Blocks, in which a plan is sharded and handed out, and cells, in which what is done is kept.

mod cells;
mod shard;

use std::ops::Range;

pub(crate) use cells::CellSet;
pub use shard::{ParseShardError, Shard};

/// Most indices of one block.
pub const MAX_BLOCK_LEN: u64 = 4_096;
/// Indices of one cell, but for the last of a plan. A block is some whole cells.
pub(crate) const CELL_LEN: u64 = 16;
/// How many blocks a plan is cut into, where that makes blocks of a length between the two.
const BLOCKS_OF_A_SMALL_PLAN: u64 = 64;

/// The blocks of one shard of a plan, by their position in the shard.
///
/// ```
/// use scanner::{ScanPlan, Shard, TargetSpec};
///
/// let target: TargetSpec = "127.0.0.1".parse()?;
/// let targets = target.addresses().expect("not a name");
/// let plan = ScanPlan::new(&targets, &"1-1000".parse()?, ports_core::Transport::Tcp, 7)?;
/// let blocks = plan.blocks("2/3".parse()?);
/// // Every third block of 16, from the second.
/// assert_eq!(blocks.get(0), Some(16..32));
/// assert_eq!(blocks.get(1), Some(64..80));
/// assert_eq!((blocks.len(), blocks.probes()), (21, 336));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blocks {
    plan_len: u64,
    block_len: u64,
    shard: Shard,
}

impl Blocks {
    pub(crate) fn new(plan_len: u64, shard: Shard) -> Self {
        let even = plan_len.div_ceil(BLOCKS_OF_A_SMALL_PLAN).clamp(CELL_LEN, MAX_BLOCK_LEN);
        let block_len = even.next_multiple_of(CELL_LEN);
        Self { plan_len, block_len, shard }
    }

    /// The shard they belong to.
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// How many indices each block has, but for the last of the plan, which may be shorter.
    pub const fn block_len(&self) -> u64 {
        self.block_len
    }

    /// How many blocks the shard has.
    pub const fn len(&self) -> u64 {
        let all = self.plan_len.div_ceil(self.block_len);
        all.saturating_sub(self.shard.offset()).div_ceil(self.shard.count() as u64)
    }

    /// Whether the shard has none: a plan may have fewer blocks than shards.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indices of the block at `position` in the shard; `None` past the last one.
    pub fn get(&self, position: u64) -> Option<Range<u64>> {
        if position >= self.len() {
            return None;
        }
        let number = self.shard.offset() + position * u64::from(self.shard.count());
        let start = number * self.block_len;
        Some(start..start + self.block_len.min(self.plan_len - start))
    }

    /// How many indices all blocks of the shard have together.
    pub fn probes(&self) -> u64 {
        let Some(last) = self.len().checked_sub(1) else { return 0 };
        // Only the last block may be shorter than the others.
        last * self.block_len + self.get(last).map_or(0, |block| block.end - block.start)
    }

    /// How many cells the shard has.
    pub(crate) fn cells(&self) -> u64 {
        self.probes().div_ceil(CELL_LEN)
    }

    /// The cell, by its position in the shard, that `index`, one of the shard's, belongs to.
    pub(crate) fn cell(&self, index: u64) -> u64 {
        let position = index / self.block_len / u64::from(self.shard.count());
        position * self.cells_per_block() + index % self.block_len / CELL_LEN
    }

    /// How many indices some of its cells have.
    pub(crate) fn cells_len(&self, cells: &Range<u64>) -> u64 {
        // Only the last cell may be shorter than the others.
        let missing = if cells.end == self.cells() {
            (CELL_LEN - self.probes() % CELL_LEN) % CELL_LEN
        } else {
            0
        };
        // In this order, for a plan near 2^64.
        (cells.end - cells.start).saturating_sub(1) * CELL_LEN + (CELL_LEN - missing)
    }

    /// The indices of some cells of one block.
    pub(crate) fn indices(&self, cells: &Range<u64>) -> Range<u64> {
        let per_block = self.cells_per_block();
        let block = self.get(cells.start / per_block).unwrap_or_default();
        let start = block.start + cells.start % per_block * CELL_LEN;
        start..start + self.cells_len(cells)
    }

    /// The cells of the block that `cell` belongs to, from there on.
    pub(crate) fn rest_of_block(&self, cell: u64) -> Range<u64> {
        let per_block = self.cells_per_block();
        cell..((cell / per_block + 1) * per_block).min(self.cells())
    }

    const fn cells_per_block(&self) -> u64 {
        self.block_len / CELL_LEN
    }

    /// Whether `index` is one of the shard's.
    pub(crate) fn contains(&self, index: u64) -> bool {
        let number = index / self.block_len;
        index < self.plan_len && number % u64::from(self.shard.count()) == self.shard.offset()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(plan_len: u64, shard: &str) -> Blocks {
        Blocks::new(plan_len, shard.parse().unwrap())
    }

    proptest! {
        /// All shards together are the plan, each index once.
        #[test]
        fn shards_add_up_to_the_plan(plan_len in 1_u64..40_000, count in 1_u32..90) {
            let mut seen = vec![false; plan_len as usize];
            let mut probes = 0;
            for number in 1..=count {
                let blocks = Blocks::new(plan_len, Shard::new(number, count).unwrap());
                probes += blocks.probes();
                let (mut counted, mut cells) = (0, 0);
                for position in 0..blocks.len() {
                    let block = blocks.get(position).unwrap();
                    prop_assert!(!block.is_empty());
                    for index in block {
                        prop_assert!(!std::mem::replace(&mut seen[index as usize], true));
                        prop_assert!(blocks.contains(index));
                        let cell = blocks.cell(index);
                        cells = cells.max(cell + 1);
                        prop_assert!(blocks.indices(&(cell..cell + 1)).contains(&index));
                        prop_assert!(blocks.rest_of_block(cell).contains(&cell));
                        counted += 1;
                    }
                    prop_assert_eq!(blocks.cells_len(&(0..cells)), counted);
                }
                prop_assert_eq!(counted, blocks.probes());
                prop_assert_eq!(cells, blocks.cells());
                prop_assert_eq!(blocks.get(blocks.len()), None);
            }
            prop_assert_eq!(probes, plan_len);
            prop_assert!(seen.into_iter().all(|seen| seen));
        }

        /// No shard has more than one block more than another.
        #[test]
        fn shards_are_even(plan_len in 1_u64.., count in 1_u32..1_000) {
            let len = |number| Blocks::new(plan_len, Shard::new(number, count).unwrap()).len();
            prop_assert!(len(1) - len(count) <= 1);
        }

        #[test]
        fn any_length_can_be_cut(plan_len in 1_u64.., number in 1_u32.., count in 1_u32..) {
            prop_assume!(number <= count);
            let blocks = Blocks::new(plan_len, Shard::new(number, count).unwrap());
            prop_assert!(blocks.probes() <= plan_len);
            if let Some(last) = blocks.len().checked_sub(1) {
                prop_assert!(blocks.get(last).unwrap().end <= plan_len);
            }
        }
    }

    #[test]
    fn small_plans_have_short_blocks() {
        assert_eq!((of(1, "1/1").len(), of(1, "1/1").block_len()), (1, 16));
        assert_eq!((of(1_000, "1/1").len(), of(1_000, "1/1").block_len()), (63, 16));
        assert_eq!((of(65_535, "1/1").len(), of(65_535, "1/1").block_len()), (64, 1_024));
        assert_eq!(of(1 << 24, "1/1").block_len(), MAX_BLOCK_LEN);
        assert!(of(1, "2/2").is_empty());
    }
}
