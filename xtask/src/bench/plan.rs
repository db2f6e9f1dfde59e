//! What one run of the bench does: which ports, how many rounds.

use std::fmt;
use std::str::FromStr;

const ROUNDS: u32 = 5;
const QUICK_ROUNDS: u32 = 2;
const QUICK_PORTS: Ports = Ports { first: 1, last: 8192 };

/// What is measured, and how often.
pub(super) struct Plan {
    pub(super) rounds: u32,
    pub(super) ports: Ports,
}

impl Plan {
    /// What was asked for; the rest by default.
    pub(super) fn new(rounds: Option<u32>, ports: Option<Ports>, quick: bool) -> Self {
        let (default_rounds, default_ports) =
            if quick { (QUICK_ROUNDS, QUICK_PORTS) } else { (ROUNDS, Ports::ALL) };
        Self { rounds: rounds.unwrap_or(default_rounds), ports: ports.unwrap_or(default_ports) }
    }
}

/// A run of ports, both ends included; never port 0, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(super) first: u16,
    pub(super) last: u16,
}

impl Ports {
    const ALL: Self = Self { first: 1, last: u16::MAX };

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
}

/// `1-65535`: the form every contender takes.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text.split_once('-').and_then(|(first, last)| {
            Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
        });
        match ends {
            Some(ports) if 1 <= ports.first && ports.first <= ports.last => Ok(ports),
            _ => Err("expected FIRST-LAST, from 1 to 65535".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints() {
        for text in ["1-65535", "80-80", "49152-65535"] {
            assert_eq!(text.parse::<Ports>().unwrap().to_string(), text);
        }
        for text in ["", "80", "0-80", "90-80", "1-65536", "1-2-3"] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
        assert_eq!(Ports::ALL.count(), 65_535);
    }

    #[test]
    fn parts_cover_every_port_once() {
        for (ports, n) in [("1-65535", 12), ("1-65535", 1), ("5-16", 12), ("100-104", 12)] {
            let ports: Ports = ports.parse().unwrap();
            let covered: Vec<u16> =
                ports.parts(n).flat_map(|part| part.first..=part.last).collect();
            assert_eq!(covered, (ports.first..=ports.last).collect::<Vec<_>>(), "{ports} / {n}");
        }
    }

    #[test]
    fn quick_gives_way_to_what_was_asked_for() {
        let plan = Plan::new(Some(7), None, true);
        assert_eq!((plan.rounds, plan.ports), (7, QUICK_PORTS));
        let plan = Plan::new(None, Some(Ports { first: 5, last: 9 }), false);
        assert_eq!((plan.rounds, plan.ports.count()), (ROUNDS, 5));
    }
}
