//! An inclusive range of ports.

mod deserialize;

use std::fmt;
use std::iter::FusedIterator;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::Serialize;

use crate::port::{ParsePortError, Port};

/// A run of ports from `first` to `last`, both included; never empty.
///
/// Ranges are ordered by their first port, then by their last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "(Port, Port)")]
pub struct PortRange {
    first: Port,
    last: Port,
}

impl PortRange {
    /// Every port, 0 to 65,535.
    pub const ALL: Self = Self { first: Port::ANY, last: Port::MAX };
    /// The System Ports, 0 to 1023.
    pub const SYSTEM: Self = Self { first: Port::ANY, last: Port::new(1023) };
    /// The User Ports, 1024 to 49,151.
    pub const USER: Self = Self { first: Port::new(1024), last: Port::new(49151) };
    /// The Dynamic Ports, 49,152 to 65,535.
    pub const DYNAMIC: Self = Self { first: Port::new(49152), last: Port::MAX };

    /// The ports from `first` to `last`.
    ///
    /// # Errors
    ///
    /// [`BackwardRangeError`] where `first` comes after `last`.
    pub fn new(first: impl Into<Port>, last: impl Into<Port>) -> Result<Self, BackwardRangeError> {
        let (first, last) = (first.into(), last.into());
        if first > last {
            return Err(BackwardRangeError { first, last });
        }
        Ok(Self { first, last })
    }

    /// The range that holds one port.
    pub const fn single(port: Port) -> Self {
        Self { first: port, last: port }
    }

    /// The lowest port of the range.
    pub const fn first(self) -> Port {
        self.first
    }

    /// The highest port of the range.
    pub const fn last(self) -> Port {
        self.last
    }

    /// How many ports it holds, 1 to 65,536.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u32 {
        self.last.number() as u32 - self.first.number() as u32 + 1
    }

    /// Whether the port lies in the range.
    pub const fn contains(self, port: Port) -> bool {
        self.first.number() <= port.number() && port.number() <= self.last.number()
    }

    /// The ports in ascending order.
    pub const fn iter(self) -> PortRangeIter {
        PortRangeIter { next: self.first.number() as u32, end: self.last.number() as u32 + 1 }
    }
}

impl IntoIterator for PortRange {
    type Item = Port;
    type IntoIter = PortRangeIter;

    fn into_iter(self) -> PortRangeIter {
        self.iter()
    }
}

/// The ports of a [`PortRange`] in ascending order, from both ends.
#[derive(Clone, Debug)]
#[must_use = "an iterator does nothing unless it is driven"]
pub struct PortRangeIter {
    /// The number of the port that comes next.
    next: u32,
    /// One more than that of the last.
    end: u32,
}

impl Iterator for PortRangeIter {
    type Item = Port;

    fn next(&mut self) -> Option<Port> {
        self.nth(0)
    }

    fn nth(&mut self, skipped: usize) -> Option<Port> {
        let number = self.next as usize + skipped.min(self.len());
        self.next = (number as u32 + 1).min(self.end);
        (number < self.end as usize).then(|| Port::new(number as u16))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for PortRangeIter {
    fn next_back(&mut self) -> Option<Port> {
        if self.next == self.end {
            return None;
        }
        self.end -= 1;
        Some(Port::new(self.end as u16))
    }
}

impl ExactSizeIterator for PortRangeIter {}

impl FusedIterator for PortRangeIter {}

impl From<Port> for PortRange {
    fn from(port: Port) -> Self {
        Self::single(port)
    }
}

impl From<u16> for PortRange {
    fn from(number: u16) -> Self {
        Self::single(number.into())
    }
}

impl From<PortRange> for (Port, Port) {
    fn from(range: PortRange) -> Self {
        (range.first, range.last)
    }
}

impl TryFrom<(Port, Port)> for PortRange {
    type Error = BackwardRangeError;

    fn try_from((first, last): (Port, Port)) -> Result<Self, Self::Error> {
        Self::new(first, last)
    }
}

/// From `first..=last`.
impl TryFrom<RangeInclusive<u16>> for PortRange {
    type Error = BackwardRangeError;

    fn try_from(range: RangeInclusive<u16>) -> Result<Self, Self::Error> {
        let (first, last) = range.into_inner();
        Self::new(first, last)
    }
}

/// As `first..=last`.
impl From<PortRange> for RangeInclusive<u16> {
    fn from(range: PortRange) -> Self {
        range.first.number()..=range.last.number()
    }
}

/// `80` for one port, `80-90` for more.
impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// `80`, `80-90`, `-90` (from 1) or `49152-` (to 65,535).
///
/// An open lower end starts at 1: port 0 is scanned or claimed only where it is named.
impl FromStr for PortRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((first, last)) = text.split_once('-') else {
            return Ok(Self::single(text.parse()?));
        };
        let first = if first.is_empty() { Port::new(1) } else { first.parse()? };
        let last = if last.is_empty() { Port::MAX } else { last.parse()? };
        Ok(Self::new(first, last)?)
    }
}

/// A range whose first port comes after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("range `{first}-{last}` is backwards: write `{last}-{first}`")]
pub struct BackwardRangeError {
    /// The port given first.
    pub first: Port,
    /// The port given last.
    pub last: Port,
}

/// Why a text is not a port range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseRangeError {
    /// One end is not a port.
    #[error(transparent)]
    Port(#[from] ParsePortError),
    /// The ends are in the wrong order.
    #[error(transparent)]
    Backward(#[from] BackwardRangeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_print() {
        for (text, printed, len) in [
            ("80", "80", 1),
            ("80-90", "80-90", 11),
            ("7-7", "7", 1),
            ("-1024", "1-1024", 1024),
            ("49152-", "49152-65535", 16384),
            ("-", "1-65535", 65535),
            ("0-", "0-65535", 65536),
        ] {
            let range: PortRange = text.parse().unwrap();
            assert_eq!((range.to_string().as_str(), range.len()), (printed, len));
            assert_eq!(range.iter().count(), len as usize);
        }
    }

    #[test]
    fn bad_ranges_say_what_is_wrong() {
        for (text, message) in [
            ("80-22", "range `80-22` is backwards: write `22-80`"),
            ("80-65536", "`65536` is not a port: the highest port is 65535"),
            ("1-2-3", "`2-3` is not a port: it is not a decimal number"),
            ("", "`` is not a port: it is empty"),
        ] {
            assert_eq!(text.parse::<PortRange>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_range_is_walked_from_both_ends() {
        let range = PortRange::new(65_533_u16, 65_535_u16).unwrap();
        let mut ports = range.iter();
        assert_eq!(ports.len(), 3);
        assert_eq!(ports.next_back().map(Port::number), Some(65_535));
        assert_eq!(ports.next().map(Port::number), Some(65_533));
        assert_eq!(ports.next().map(Port::number), Some(65_534));
        assert_eq!((ports.next(), ports.next_back(), ports.len()), (None, None, 0));

        let mut every = PortRange::ALL.into_iter();
        assert_eq!(every.len(), 65_536);
        assert_eq!(every.nth(65_535).map(Port::number), Some(65_535));
        assert_eq!(every.next(), None);
        assert_eq!(PortRange::ALL.iter().nth(usize::MAX), None);
        assert_eq!(PortRange::ALL.iter().rev().map(Port::number).max(), Some(65_535));
    }

    #[test]
    fn ranges_are_ordered_by_their_ends() {
        let mut ranges: Vec<PortRange> =
            ["80-90", "22", "80"].map(|text| text.parse().unwrap()).into();
        ranges.sort();
        let printed: Vec<String> = ranges.iter().map(PortRange::to_string).collect();
        assert_eq!(printed, ["22", "80", "80-90"]);
        assert_eq!(PortRange::from(80), ranges[1]);
    }

    #[test]
    fn inclusive_ranges_of_numbers_are_ranges_unless_backward() {
        let range = PortRange::try_from(8000..=8100).unwrap();
        assert_eq!((range.to_string().as_str(), range.into()), ("8000-8100", 8000..=8100));
        let (high, low) = (90, 80);
        assert!(PortRange::try_from(high..=low).is_err());
    }

    #[test]
    fn serde_refuses_a_backward_range() {
        let range: PortRange = serde_json::from_str("[22,80]").unwrap();
        assert_eq!(serde_json::to_string(&range).unwrap(), "[22,80]");
        assert!(serde_json::from_str::<PortRange>("[80,22]").is_err());
    }
}
