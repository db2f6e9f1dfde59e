//! A set of cells, by position, as runs.

use std::collections::BTreeMap;
use std::ops::Range;

/// Positions of cells. Its memory grows with its runs: cells that end nearly in order make few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CellSet {
    /// Start to end of each run, which neither overlap nor touch.
    runs: BTreeMap<u64, u64>,
}

impl CellSet {
    /// Adds a run, and says whether it was new altogether; where it was not, nothing is added.
    #[must_use]
    pub(crate) fn insert(&mut self, run: Range<u64>) -> bool {
        let (mut start, mut end) = (run.start, run.end);
        if start >= end {
            return true;
        }
        let before = self.runs.range(..=start).next_back().map(|(start, end)| (*start, *end));
        let after = self.runs.range(start..).next().map(|(start, end)| (*start, *end));
        if before.is_some_and(|(_, before)| before > start)
            || after.is_some_and(|(after, _)| after < end)
        {
            return false;
        }
        if let Some((first, before)) = before
            && before == start
        {
            start = first;
        }
        if let Some((after, last)) = after
            && after == end
        {
            self.runs.remove(&after);
            end = last;
        }
        self.runs.insert(start, end);
        true
    }

    pub(crate) fn contains(&self, position: u64) -> bool {
        self.first_missing(position) != position
    }

    /// The first position from `from` on that is not in the set.
    pub(crate) fn first_missing(&self, from: u64) -> u64 {
        let run = self.runs.range(..=from).next_back();
        run.map_or(from, |(_, end)| from.max(*end))
    }

    /// The first position from `from` on that is in the set.
    pub(crate) fn first_present(&self, from: u64) -> Option<u64> {
        let next = || self.runs.range(from..).next().map(|(start, _)| *start);
        if self.contains(from) { Some(from) } else { next() }
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        self.runs.iter().map(|(start, end)| *start..*end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_set_of_numbers(runs in prop::collection::vec((0_u64..80, 0_u64..6), 0..40)) {
            let (mut set, mut naive) = (CellSet::default(), BTreeSet::new());
            for (start, len) in runs {
                let run = start..start + len;
                let new = run.clone().all(|position| !naive.contains(&position));
                prop_assert_eq!(set.insert(run.clone()), new);
                if new {
                    naive.extend(run);
                }
                prop_assert!(set.runs().flatten().eq(naive.iter().copied()));
            }
            let runs: Vec<_> = set.runs().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            for position in 0..90 {
                prop_assert_eq!(set.contains(position), naive.contains(&position));
                let missing = (position..100).find(|position| !naive.contains(position));
                prop_assert_eq!(Some(set.first_missing(position)), missing);
                let present = naive.range(position..).next().copied();
                prop_assert_eq!(set.first_present(position), present);
            }
        }
    }
}
