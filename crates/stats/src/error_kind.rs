//! The kinds of errors that are counted apart, and the counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// `accept` failed.
    Accept,
    /// A local address could not be bound.
    Bind,
    /// A connection could not be made.
    Connect,
    /// The application's handler failed or panicked.
    Handler,
    /// A connection began no TLS session.
    Handshake,
    /// A multicast group could not be joined or left.
    Multicast,
    /// Receiving failed.
    Read,
    /// A name could not be resolved.
    Resolve,
    /// Something took longer than it may.
    Timeout,
    /// The network said that the other end cannot be reached (an ICMP error on a UDP socket).
    Unreachable,
    /// Sending failed.
    Write,
    /// None of the above.
    Other,
}

impl ErrorKind {
    /// All kinds, in the order they are printed.
    pub const ALL: &'static [Self] = &[
        Self::Accept,
        Self::Bind,
        Self::Connect,
        Self::Handler,
        Self::Handshake,
        Self::Multicast,
        Self::Read,
        Self::Resolve,
        Self::Timeout,
        Self::Unreachable,
        Self::Write,
        Self::Other,
    ];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Bind => "bind",
            Self::Connect => "connect",
            Self::Handler => "handler",
            Self::Handshake => "handshake",
            Self::Multicast => "multicast",
            Self::Read => "read",
            Self::Resolve => "resolve",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Write => "write",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Errors counted by kind. Serialized as a map of the kinds that occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "BTreeMap<ErrorKind, u64>", into = "BTreeMap<ErrorKind, u64>")]
pub struct ErrorCounts([u64; ErrorKind::ALL.len()]);

impl ErrorCounts {
    /// How many errors of this kind.
    pub const fn count(&self, kind: ErrorKind) -> u64 {
        self.0[kind as usize]
    }

    /// How many errors of all kinds.
    pub fn total(&self) -> u64 {
        self.0.iter().copied().fold(0, u64::saturating_add)
    }

    /// The kinds that occurred, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (ErrorKind, u64)> {
        let counts = self.0;
        ErrorKind::ALL
            .iter()
            .map(move |&kind| (kind, counts[kind as usize]))
            .filter(|(_, count)| *count > 0)
    }

    pub(crate) const fn count_mut(&mut self, kind: ErrorKind) -> &mut u64 {
        &mut self.0[kind as usize]
    }
}

impl From<BTreeMap<ErrorKind, u64>> for ErrorCounts {
    fn from(map: BTreeMap<ErrorKind, u64>) -> Self {
        let mut counts = Self::default();
        for (kind, count) in map {
            *counts.count_mut(kind) = count;
        }
        counts
    }
}

impl From<ErrorCounts> for BTreeMap<ErrorKind, u64> {
    fn from(counts: ErrorCounts) -> Self {
        counts.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_count_and_name() {
        let mut counts = ErrorCounts::default();
        for (index, &kind) in ErrorKind::ALL.iter().enumerate() {
            *counts.count_mut(kind) = index as u64 + 1;
        }
        for (index, &kind) in ErrorKind::ALL.iter().enumerate() {
            assert_eq!(counts.count(kind), index as u64 + 1);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(counts.total(), 78);
        let json = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<ErrorCounts>(&json).unwrap(), counts);
    }

    #[test]
    fn kinds_that_did_not_occur_are_left_out() {
        let mut counts = ErrorCounts::default();
        *counts.count_mut(ErrorKind::Read) = 2;
        assert_eq!(serde_json::to_string(&counts).unwrap(), r#"{"read":2}"#);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(ErrorKind::Read, 2)]);
    }
}
