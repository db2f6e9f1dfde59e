//! How much the TCP sockets have moved since the look before.

use std::collections::HashMap;

use stats::system::Snapshot;

use crate::commands::ls::Filter;

/// Bytes that moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) acknowledged: u64,
}

/// Remembers how far each socket was. What a socket moved between the last look and its end is not
/// seen.
#[derive(Debug, Default)]
pub(super) struct Meter {
    before: HashMap<u64, Traffic>,
    has_looked: bool,
}

impl Meter {
    /// Since the call before; nothing at the first. A socket that is new has moved all that it has.
    pub(super) fn measure(&mut self, snapshot: &Snapshot, filter: &Filter) -> Traffic {
        let sockets = snapshot.iter().filter(|socket| filter.keeps(socket));
        let counts = sockets.filter_map(|socket| {
            let tcp = socket.details()?.tcp?;
            let received = tcp.bytes_received.unwrap_or_default();
            let acknowledged = tcp.bytes_acked.unwrap_or_default();
            Some((socket.cookie()?, Traffic { received, acknowledged }))
        });
        self.advance(counts.collect())
    }

    fn advance(&mut self, now: HashMap<u64, Traffic>) -> Traffic {
        let mut moved = Traffic::default();
        if self.has_looked {
            for (cookie, now) in &now {
                let before = self.before.get(cookie).copied().unwrap_or_default();
                moved.received += now.received.saturating_sub(before.received);
                moved.acknowledged += now.acknowledged.saturating_sub(before.acknowledged);
            }
        }
        self.has_looked = true;
        self.before = now;
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_moved_since_counts() {
        let at = |received, acknowledged| Traffic { received, acknowledged };
        let mut meter = Meter::default();
        assert_eq!(meter.advance([(1, at(100, 10))].into()), at(0, 0));
        assert_eq!(meter.advance([(1, at(150, 10)), (2, at(7, 8))].into()), at(57, 8));
        assert_eq!(meter.advance([(2, at(7, 9))].into()), at(0, 1));
        assert_eq!(meter.advance(HashMap::new()), at(0, 0));
    }
}
