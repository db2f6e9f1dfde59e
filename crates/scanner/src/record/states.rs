//! The states that a port may be in, as far as a record says.

use std::fmt;

use ports_core::Transport;

/// Every word for a state that this crate and nmap write.
const WORDS: [&str; 7] =
    ["open", "closed", "filtered", "open|filtered", "closed|filtered", "unfiltered", "error"];
/// nmap's word for what it cannot tell; ours in its format for what could not be asked.
const UNKNOWN: &str = "unknown";

/// A set of states: one where a record names it, several where it only says which it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeenStates(u8);

impl SeenStates {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const OPEN: Self = Self(1);
    pub(crate) const ERROR: Self = Self(1 << (WORDS.len() - 1));
    const CLOSED: Self = Self(1 << 1);
    const FILTERED: Self = Self(1 << 2);
    const OPEN_FILTERED: Self = Self(1 << 3);
    const UNFILTERED: Self = Self(1 << 5);

    /// The state of this name; `None` for a word that is none.
    pub(crate) fn named(word: &str) -> Option<Self> {
        let word = if word == UNKNOWN { "error" } else { word };
        let index = WORDS.iter().position(|known| *known == word)?;
        Some(Self(1 << index))
    }

    /// Every state but these.
    pub(crate) const fn other_than(states: Self) -> Self {
        Self(!states.0 & ((1 << WORDS.len()) - 1))
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has all of `other`.
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a port may be in a state of both.
    pub(crate) const fn may_be(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether a port that did not change may have been seen in both: once silent, which is
    /// `open|filtered` where services need not answer, and once not.
    pub(crate) fn may_hide(self, other: Self, transport: Transport) -> bool {
        // Over TCP silence is `filtered`, unless a record says otherwise.
        let silent = |states: Self| {
            states == Self::OPEN_FILTERED
                || (transport == Transport::Udp && states.contains(Self::OPEN_FILTERED))
        };
        let either = Self::OPEN.with(Self::FILTERED);
        (silent(self) && other.may_be(either)) || (silent(other) && self.may_be(either))
    }

    /// Whether it is open for certain.
    pub const fn is_open(self) -> bool {
        self.0 == Self::OPEN.0
    }

    /// Whether the host itself may have said so.
    pub(crate) const fn may_be_an_answer(self) -> bool {
        self.may_be(Self::OPEN.with(Self::CLOSED).with(Self::UNFILTERED))
    }

    /// Whether the host itself must have said so.
    pub(crate) fn is_an_answer(self) -> bool {
        [Self::OPEN, Self::CLOSED, Self::UNFILTERED].contains(&self)
    }
}

/// The name of the state; `not-open` where it is several without that one, else their names.
impl fmt::Display for SeenStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.count_ones() > 1 && !self.contains(Self::OPEN) {
            return f.pad("not-open");
        }
        let named = WORDS.iter().enumerate().filter(|(index, _)| self.0 & (1 << index) != 0);
        f.pad(&named.map(|(_, word)| *word).collect::<Vec<_>>().join("|"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::PortState;

    #[test]
    fn every_state_of_a_scan_has_its_word() {
        for state in PortState::ALL {
            assert_eq!(SeenStates::named(state.name()).unwrap().to_string(), state.name());
        }
        assert_eq!(SeenStates::named("unknown"), Some(SeenStates::ERROR));
        assert_eq!(SeenStates::named("ajar"), None);
        assert_eq!(SeenStates::other_than(SeenStates::OPEN).to_string(), "not-open");
        assert!(SeenStates::OPEN.is_open() && !SeenStates::other_than(SeenStates::NONE).is_open());
    }
}
