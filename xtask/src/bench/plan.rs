//! How much one run of the bench does, and which ports.

use std::fmt;
use std::str::FromStr;

const QUICK_ROUNDS: u32 = 2;
const QUICK_PORTS: Ports = Ports { first: 1, last: 8192 };

/// How much is measured.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Rounds asked for, in place of each group's own number.
    rounds: Option<u32>,
    /// Less of everything: to see that it works.
    pub(super) quick: bool,
}

impl Plan {
    /// What was asked for.
    pub(super) const fn new(rounds: Option<u32>, quick: bool) -> Self {
        Self { rounds, quick }
    }

    /// How many rounds, where a full run of the group has this many.
    pub(super) fn rounds(self, full: u32) -> u32 {
        self.rounds.unwrap_or(if self.quick { QUICK_ROUNDS } else { full })
    }

    /// The ports of a scan of one host.
    pub(super) const fn ports(self) -> Ports {
        if self.quick { QUICK_PORTS } else { Ports::ALL }
    }
}

/// A run of ports, both ends included; never port 0, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(super) first: u16,
    pub(super) last: u16,
}

impl Ports {
    pub(super) const ALL: Self = Self { first: 1, last: u16::MAX };
    pub(super) const HTTP: Self = Self { first: 80, last: 80 };

    /// How many ports.
    pub(super) fn count(self) -> u32 {
        u32::from(self.last - self.first) + 1
    }

    /// The ports cut into `n` parts of nearly equal size, in order; fewer where there are fewer
    /// ports than parts.
    pub(super) fn parts(self, n: u32) -> impl Iterator<Item = Self> {
        let count = self.count();
        let n = n.min(count);
        // Below 65,536 for every part, as `part <= n`.
        let bound = move |part: u32| (count * part / n) as u16;
        (0..n).map(move |part| Self {
            first: self.first + bound(part),
            last: self.first + (bound(part + 1) - 1),
        })
    }

    /// The ports of this part in the order to try them: its middle, what follows, what precedes.
    pub(super) fn middle_first(self) -> impl Iterator<Item = u16> {
        let middle = self.first + (self.last - self.first) / 2;
        (middle..=self.last).chain(self.first..middle)
    }
}

/// `1-65535`, or `80` for a single one: the form every contender takes.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if 1 <= first && first <= last => Ok(Self { first, last }),
            _ => Err("expected PORT or FIRST-LAST, from 1 to 65535".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints() {
        for text in ["1-65535", "80", "49152-65535"] {
            assert_eq!(text.parse::<Ports>().unwrap().to_string(), text);
        }
        for text in ["", "0", "0-80", "90-80", "1-65536", "1-2-3"] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
        assert_eq!(Ports::ALL.count(), 65_535);
    }

    #[test]
    fn parts_cover_every_port_once() {
        for (ports, n) in [("1-65535", 12), ("1-65535", 200), ("5-16", 12), ("100-104", 12)] {
            let ports: Ports = ports.parse().unwrap();
            let covered: Vec<u16> =
                ports.parts(n).flat_map(|part| part.first..=part.last).collect();
            assert_eq!(covered, (ports.first..=ports.last).collect::<Vec<_>>(), "{ports} / {n}");
        }
    }

    #[test]
    fn every_port_of_a_part_is_tried_the_middle_first() {
        let part: Ports = "10-14".parse().unwrap();
        assert_eq!(part.middle_first().collect::<Vec<_>>(), [12, 13, 14, 10, 11]);
    }

    #[test]
    fn quick_gives_way_to_what_was_asked_for() {
        assert_eq!(Plan::new(Some(7), true).rounds(20), 7);
        assert_eq!(Plan::new(None, true).rounds(20), QUICK_ROUNDS);
        assert_eq!(Plan::new(None, false).rounds(20), 20);
        assert_eq!(Plan::new(None, false).ports(), Ports::ALL);
    }
}
