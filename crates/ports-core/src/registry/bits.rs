//! A set of held ports that finds the next free one in constant time.

/// Ports per leaf word, leaves per group: the arity of the tree.
const ARITY: usize = u64::BITS as usize;
const LEAVES: usize = (1 << 16) / ARITY;
const GROUPS: usize = LEAVES / ARITY;

/// The held ports, as a tree of 64-ary words over 65,536 bits. Above the leaves a bit says that
/// the word below is full, so that a search reads at most five words at any fill.
#[derive(Debug)]
pub(super) struct HeldBits {
    leaves: Box<[u64; LEAVES]>,
    groups: [u64; GROUPS],
    /// Only the lowest `GROUPS` bits mean anything.
    root: u64,
}

impl HeldBits {
    pub(super) fn new() -> Self {
        Self { leaves: Box::new([0; LEAVES]), groups: [0; GROUPS], root: 0 }
    }

    pub(super) const fn contains(&self, port: u16) -> bool {
        let (leaf, bit) = split(port as usize);
        self.leaves[leaf] & bit != 0
    }

    pub(super) const fn insert(&mut self, port: u16) {
        let (leaf, bit) = split(port as usize);
        self.leaves[leaf] |= bit;
        if self.leaves[leaf] == u64::MAX {
            let (group, bit) = split(leaf);
            self.groups[group] |= bit;
            if self.groups[group] == u64::MAX {
                self.root |= 1 << group;
            }
        }
    }

    pub(super) const fn remove(&mut self, port: u16) {
        let (leaf, bit) = split(port as usize);
        self.leaves[leaf] &= !bit;
        let (group, bit) = split(leaf);
        self.groups[group] &= !bit;
        self.root &= !(1 << group);
    }

    /// The lowest free port from `first` to `last`, both included.
    pub(super) fn first_free(&self, first: u16, last: u16) -> Option<u16> {
        self.free_from(first as usize).filter(|port| *port <= last)
    }

    /// How many ports from `first` to `last`, both included, are held.
    pub(super) fn count(&self, first: u16, last: u16) -> u32 {
        let (low, high) = (first as usize / ARITY, last as usize / ARITY);
        (low..=high)
            .map(|leaf| {
                let mut word = self.leaves[leaf];
                if leaf == low {
                    word &= at_or_above(first as usize % ARITY);
                }
                if leaf == high {
                    word &= !at_or_above(last as usize % ARITY + 1);
                }
                word.count_ones()
            })
            .sum()
    }

    /// The held ports in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u16> {
        self.leaves.iter().enumerate().flat_map(|(leaf, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = lowest(rest)?;
                rest &= rest - 1;
                Some((leaf * ARITY + bit) as u16)
            })
        })
    }

    fn free_from(&self, port: usize) -> Option<u16> {
        let leaf = port / ARITY;
        if let Some(bit) = lowest(!self.leaves[leaf] & at_or_above(port % ARITY)) {
            return Some((leaf * ARITY + bit) as u16);
        }
        let group = leaf / ARITY;
        let later = lowest(!self.groups[group] & at_or_above(leaf % ARITY + 1));
        let leaf = match later {
            Some(bit) => group * ARITY + bit,
            None => self.free_leaf_after(group)?,
        };
        lowest(!self.leaves[leaf]).map(|bit| (leaf * ARITY + bit) as u16)
    }

    fn free_leaf_after(&self, group: usize) -> Option<usize> {
        let group = lowest(!self.root & at_or_above(group + 1))?;
        // Past the last group the root has zero bits that stand for nothing.
        lowest(!*self.groups.get(group)?).map(|bit| group * ARITY + bit)
    }
}

/// The word an index lies in, and its bit there.
const fn split(index: usize) -> (usize, u64) {
    (index / ARITY, 1 << (index % ARITY))
}

/// The bits from `bit` upwards; none where `bit` is past the word.
const fn at_or_above(bit: usize) -> u64 {
    if bit < ARITY { u64::MAX << bit } else { 0 }
}

fn lowest(word: u64) -> Option<usize> {
    (word != 0).then(|| word.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn filled(held: impl IntoIterator<Item = u16>) -> HeldBits {
        let mut bits = HeldBits::new();
        held.into_iter().for_each(|port| bits.insert(port));
        bits
    }

    #[test]
    fn finds_the_only_free_port_from_anywhere() {
        for free in [0, 1, 63, 64, 4095, 4096, 32768, 65472, 65534, u16::MAX] {
            let bits = filled((0..=u16::MAX).filter(|port| *port != free));
            for first in [0, 1, 64, 4095, 4096, 5000, 60000, u16::MAX] {
                let expected = (first <= free).then_some(free);
                assert_eq!(bits.first_free(first, u16::MAX), expected, "{free} from {first}");
            }
            assert_eq!(bits.count(0, u16::MAX), 65535);
        }
    }

    #[test]
    fn a_full_set_has_no_free_port_until_one_is_removed() {
        let mut bits = filled(0..=u16::MAX);
        assert_eq!(bits.first_free(0, u16::MAX), None);
        bits.remove(50000);
        assert_eq!(bits.first_free(0, u16::MAX), Some(50000));
        assert_eq!(bits.first_free(0, 49999), None);
        assert_eq!(bits.first_free(50001, u16::MAX), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(
            full in any::<(u16, u16)>(),
            changes in prop::collection::vec(any::<(bool, u16)>(), 0..200),
            asked in any::<(u16, u16)>(),
        ) {
            let run = full.0.min(full.1)..=full.0.max(full.1);
            let mut model: BTreeSet<u16> = run.clone().collect();
            let mut bits = filled(run);
            for (insert, port) in changes {
                if insert {
                    model.insert(port);
                    bits.insert(port);
                } else {
                    model.remove(&port);
                    bits.remove(port);
                }
            }
            let (first, last) = (asked.0.min(asked.1), asked.0.max(asked.1));
            let free = (first..=last).find(|port| !model.contains(port));
            prop_assert_eq!(bits.first_free(first, last), free);
            prop_assert_eq!(bits.count(first, last) as usize, model.range(first..=last).count());
            prop_assert!(bits.iter().eq(model.iter().copied()));
            prop_assert_eq!(bits.contains(first), model.contains(&first));
        }
    }
}
