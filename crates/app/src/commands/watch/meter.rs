//! How much the TCP sockets have moved since the look before.

use std::collections::{HashMap, HashSet};

use stats::system::Snapshot;

use crate::commands::ls::Filter;

/// How many looks a socket is remembered that they do not show: the kernel may leave one out that
/// is there, where others come and go meanwhile.
const LOOKS: u64 = 3;

/// Bytes that moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) acknowledged: u64,
}

/// A TCP socket in one look.
#[derive(Clone, Copy, Debug)]
struct Reading {
    cookie: u64,
    traffic: Traffic,
    /// Whether what it moves is asked for.
    counts: bool,
}

/// Remembers how far each socket was. What a socket moved between the last look and its end is not
/// seen.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// How far, and in which look.
    before: HashMap<u64, (Traffic, u64)>,
    looks: u64,
}

impl Meter {
    /// Since the call before; nothing at the first. Sockets of which `opened` has the cookie have
    /// moved all that they have; how much others had moved before they were first seen is not known.
    pub(super) fn measure(
        &mut self,
        snapshot: &Snapshot,
        filter: &Filter,
        opened: &HashSet<u64>,
    ) -> Traffic {
        // Of all sockets: whether the filter keeps one may change, as with its process.
        let readings = snapshot.iter().filter_map(|socket| {
            let tcp = socket.details()?.tcp?;
            let traffic = Traffic {
                received: tcp.bytes_received.unwrap_or_default(),
                acknowledged: tcp.bytes_acked.unwrap_or_default(),
            };
            Some(Reading { cookie: socket.cookie()?, traffic, counts: filter.keeps(&socket) })
        });
        self.advance(readings, opened)
    }

    fn advance(
        &mut self,
        readings: impl Iterator<Item = Reading>,
        opened: &HashSet<u64>,
    ) -> Traffic {
        let (is_first, look) = (self.looks == 0, self.looks);
        let mut moved = Traffic::default();
        for Reading { cookie, traffic: now, counts } in readings {
            let known = self.before.insert(cookie, (now, look)).map(|(before, _)| before);
            let from_zero = || opened.contains(&cookie).then(Traffic::default);
            if let Some(before) = known.or_else(from_zero)
                && counts
                && !is_first
            {
                moved.received += now.received.saturating_sub(before.received);
                moved.acknowledged += now.acknowledged.saturating_sub(before.acknowledged);
            }
        }
        self.before.retain(|_, (_, seen)| look - *seen < LOOKS);
        self.looks += 1;
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(received: u64, acknowledged: u64) -> Traffic {
        Traffic { received, acknowledged }
    }

    fn advance<const N: usize>(
        meter: &mut Meter,
        now: [(u64, Traffic); N],
        opened: &[u64],
    ) -> Traffic {
        let reading = |(cookie, traffic)| Reading { cookie, traffic, counts: true };
        meter.advance(now.into_iter().map(reading), &opened.iter().copied().collect())
    }

    #[test]
    fn only_what_moved_since_counts() {
        let mut meter = Meter::default();
        assert_eq!(advance(&mut meter, [(1, at(100, 10))], &[1]), at(0, 0));
        assert_eq!(advance(&mut meter, [(1, at(150, 10)), (2, at(7, 8))], &[2]), at(57, 8));
        assert_eq!(advance(&mut meter, [(2, at(7, 9))], &[]), at(0, 1));
        assert_eq!(advance(&mut meter, [], &[]), at(0, 0));
    }

    #[test]
    fn one_that_a_look_left_out_has_not_moved_everything_at_once() {
        let mut meter = Meter::default();
        advance(&mut meter, [(1, at(40_000, 0)), (2, at(9, 0))], &[]);
        assert_eq!(advance(&mut meter, [(2, at(10, 0))], &[]), at(1, 0));
        assert_eq!(advance(&mut meter, [(1, at(40_005, 0)), (2, at(10, 0))], &[]), at(5, 0));
        // Forgotten meanwhile, and not new: how much of it is of late is not known.
        for _ in 0..LOOKS {
            advance(&mut meter, [(2, at(10, 0))], &[]);
        }
        assert_eq!(advance(&mut meter, [(1, at(50_000, 0))], &[]), at(0, 0));
        assert_eq!(advance(&mut meter, [(1, at(50_001, 0))], &[]), at(1, 0));
    }

    #[test]
    fn one_that_the_filter_did_not_keep_before_counts_from_there() {
        let mut meter = Meter::default();
        let mut look = |received, counts| {
            let reading = Reading { cookie: 1, traffic: at(received, 0), counts };
            meter.advance(std::iter::once(reading), &HashSet::new())
        };
        look(1_000, false);
        assert_eq!(look(2_000, false), at(0, 0));
        assert_eq!(look(2_500, true), at(500, 0));
    }
}
