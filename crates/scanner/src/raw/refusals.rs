//! Interfaces that take no packets: since when, and for how long that is worth another try. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::engine::LocalError;

/// For so long what an interface refuses is tried again: a link may be away for some seconds, or its
/// reader busy. Below the engine's own patience, so that other interfaces are gone on with.
const PATIENCE: Duration = Duration::from_secs(8);

/// The interfaces that refused the last packet they were given, and since when they do.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: HashMap<u32, Instant>,
}

impl Refusals {
    /// The interface had no room for a packet. Returns whether that is worth another try.
    pub(super) fn refused(&mut self, now: Instant, interface: u32) -> LocalError {
        let since = *self.since.entry(interface).or_insert(now);
        if now.saturating_duration_since(since) < PATIENCE {
            LocalError::Buffers
        } else {
            LocalError::Refused
        }
    }

    /// The interfaces took a packet each.
    pub(super) fn took(&mut self, interfaces: impl Iterator<Item = u32>) {
        if self.since.is_empty() {
            return;
        }
        for interface in interfaces {
            self.since.remove(&interface);
        }
    }

    /// Whether nothing leaves by the interface now.
    pub(super) fn is_refusing(&self, interface: u32) -> bool {
        self.since.contains_key(&interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_begins_anew_with_every_packet_that_leaves() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.refused(start, 3), LocalError::Buffers);
        assert_eq!(refusals.refused(start + PATIENCE, 3), LocalError::Refused);
        assert_eq!(refusals.refused(start + PATIENCE, 4), LocalError::Buffers, "another one");
        refusals.took([3].into_iter());
        assert!(!refusals.is_refusing(3) && refusals.is_refusing(4));
        assert_eq!(refusals.refused(start + PATIENCE, 3), LocalError::Buffers);
    }
}
