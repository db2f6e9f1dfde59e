//! The ports of a set in order, one by one and as ranges.

use super::{PortSet, WORD_BITS, WORDS, port_at};
use crate::{Port, PortRange};

impl PortSet {
    /// The ports in ascending order.
    pub fn iter(&self) -> PortSetIter<'_> {
        PortSetIter { set: self, start: 0, end: WORDS as u32 * WORD_BITS, left: self.len() }
    }

    /// The set as maximal ranges in ascending order: no two of them touch.
    pub fn ranges(&self) -> impl Iterator<Item = PortRange> + Clone + '_ {
        std::iter::successors(self.range_from(0), |range| {
            self.range_from(u32::from(range.last().number()) + 1)
        })
    }

    /// The first port whose number is `start` or more.
    pub(super) fn at_or_after(&self, start: u32) -> Option<Port> {
        let mut word = (start / WORD_BITS) as usize;
        let mut bits = self.words.get(word)? & (u64::MAX << (start % WORD_BITS));
        while bits == 0 {
            word += 1;
            bits = *self.words.get(word)?;
        }
        Some(port_at(word as u32 * WORD_BITS + bits.trailing_zeros()))
    }

    /// The last port whose number is less than `end`.
    fn before(&self, end: u32) -> Option<Port> {
        let last = end.checked_sub(1)?;
        let mut word = (last / WORD_BITS) as usize;
        let mut bits = self.words[word] & (u64::MAX >> (WORD_BITS - 1 - last % WORD_BITS));
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.words[word];
        }
        Some(port_at(word as u32 * WORD_BITS + bits.ilog2()))
    }

    /// The first maximal range at `start` or after.
    fn range_from(&self, start: u32) -> Option<PortRange> {
        let first = self.at_or_after(start)?;
        let mut word = usize::from(first.number()) / WORD_BITS as usize;
        let below = !(u64::MAX << (u32::from(first.number()) % WORD_BITS));
        let mut absent = !(self.words[word] | below);
        while absent == 0 && word + 1 < WORDS {
            word += 1;
            absent = !self.words[word];
        }
        // Without an absent bit the run goes on to the last port: `trailing_zeros` is then 64.
        let last = port_at(word as u32 * WORD_BITS + absent.trailing_zeros() - 1);
        PortRange::new(first, last).ok()
    }
}

impl<'a> IntoIterator for &'a PortSet {
    type Item = Port;
    type IntoIter = PortSetIter<'a>;

    fn into_iter(self) -> PortSetIter<'a> {
        self.iter()
    }
}

/// The ports of a [`PortSet`] in ascending order, from both ends.
#[derive(Clone, Debug)]
#[must_use = "an iterator does nothing unless it is driven"]
pub struct PortSetIter<'a> {
    set: &'a PortSet,
    start: u32,
    end: u32,
    left: usize,
}

impl Iterator for PortSetIter<'_> {
    type Item = Port;

    fn next(&mut self) -> Option<Port> {
        self.left = self.left.checked_sub(1)?;
        let port = self.set.at_or_after(self.start)?;
        self.start = u32::from(port.number()) + 1;
        Some(port)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for PortSetIter<'_> {
    fn next_back(&mut self) -> Option<Port> {
        self.left = self.left.checked_sub(1)?;
        let port = self.set.before(self.end)?;
        self.end = u32::from(port.number());
        Some(port)
    }
}

impl ExactSizeIterator for PortSetIter<'_> {}

impl std::iter::FusedIterator for PortSetIter<'_> {}
