//! A sorted set of disjoint intervals of addresses, both families as 128-bit numbers.

/// Disjoint, ascending, never touching runs `first..=last`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct IntervalSet {
    runs: Vec<(u128, u128)>,
}

impl IntervalSet {
    pub(crate) const EMPTY: Self = Self { runs: Vec::new() };

    /// The set of all values in any of the runs, which may overlap and come in any order.
    pub(crate) fn from_runs(mut runs: Vec<(u128, u128)>) -> Self {
        runs.retain(|(first, last)| first <= last);
        runs.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(runs.len());
        for (first, last) in runs {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => {
                    previous.1 = previous.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self { runs: merged }
    }

    /// What this set has and `other` has not.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut holes = other.runs.iter().copied().peekable();
        for &(first, last) in &self.runs {
            let mut start = Some(first);
            while holes.next_if(|hole| hole.1 < first).is_some() {}
            // A hole may reach into the next run, so holes are looked at here, not consumed.
            for (hole_first, hole_last) in holes.clone().take_while(|hole| hole.0 <= last) {
                if let Some(from) = start
                    && from < hole_first
                {
                    runs.push((from, hole_first - 1));
                }
                start = (hole_last < last).then(|| hole_last + 1);
            }
            if let Some(from) = start {
                runs.push((from, last));
            }
        }
        Self { runs }
    }

    /// How many values it holds; `u128::MAX` where it would hold all 2^128.
    pub(crate) fn len(&self) -> u128 {
        self.runs.iter().fold(0, |sum: u128, (first, last)| {
            sum.saturating_add((last - first).saturating_add(1))
        })
    }

    pub(crate) fn contains(&self, value: u128) -> bool {
        let after = self.runs.partition_point(|run| run.0 <= value);
        after > 0 && value <= self.runs[after - 1].1
    }

    pub(crate) fn runs(&self) -> &[(u128, u128)] {
        &self.runs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn naive(runs: &[(u128, u128)]) -> BTreeSet<u128> {
        runs.iter().flat_map(|(first, last)| *first..=*last).collect()
    }

    fn values(set: &IntervalSet) -> Vec<u128> {
        set.runs().iter().flat_map(|(first, last)| *first..=*last).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_numbers(
            left in prop::collection::vec((0u128..200, 0u128..200), 0..12),
            right in prop::collection::vec((0u128..200, 0u128..200), 0..12),
        ) {
            let (a, b) = (IntervalSet::from_runs(left.clone()), IntervalSet::from_runs(right.clone()));
            let (x, y) = (naive(&left), naive(&right));
            prop_assert_eq!(values(&a), x.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(a.len(), x.len() as u128);
            prop_assert_eq!(values(&a.difference(&b)), x.difference(&y).copied().collect::<Vec<_>>());
            for value in 0..200 {
                prop_assert_eq!(a.contains(value), x.contains(&value));
            }
            prop_assert!(a.runs().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }

    #[test]
    fn the_ends_of_the_number_range_hold() {
        let all = IntervalSet::from_runs(vec![(0, u128::MAX)]);
        assert_eq!(all.len(), u128::MAX);
        let edges = IntervalSet::from_runs(vec![(0, 0), (u128::MAX, u128::MAX)]);
        assert_eq!(all.difference(&edges).runs(), [(1, u128::MAX - 1)]);
        assert!(edges.difference(&all).runs().is_empty());
    }
}
