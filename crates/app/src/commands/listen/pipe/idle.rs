//! When a pipe is idle: the rule, with the time passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::commands::conversation::stillness::Stillness;

/// How often, within the time, it is looked: no poller tells of an acknowledgement. A pipe is idle after
/// that time, and at most a quarter more.
const LOOKS: u32 = 4;

/// A pipe at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// When the kernel last took or gave something, or standard output took it.
    pub(super) last_move: Instant,
    /// How many bytes the peer has acknowledged: the kernel takes more for a slow one in large and rare
    /// steps.
    pub(super) acknowledged: u64,
    /// Standard output is what waits: the peer is not asked for anything. Or the peer has spoken, and
    /// this process was kept from reading it.
    pub(super) is_ours_to_move: bool,
}

/// Since when nothing has moved.
#[derive(Debug)]
pub(super) struct Idle {
    timeout: Duration,
    stillness: Stillness<u64>,
}

impl Idle {
    pub(super) const fn begin(timeout: Duration, now: Instant) -> Self {
        Self { timeout, stillness: Stillness::begin(0, now) }
    }

    /// How long to wait for the next look; `None` once the pipe is idle.
    pub(super) fn look(&mut self, look: Look, now: Instant) -> Option<Duration> {
        self.stillness.stir(if look.is_ours_to_move { now } else { look.last_move });
        let still = self.stillness.look(look.acknowledged, now);
        let left = self.timeout.checked_sub(still).filter(|left| !left.is_zero())?;
        Some(left.min(self.timeout / LOOKS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(4);

    fn silent(last_move: Instant) -> Look {
        Look { last_move, acknowledged: 0, is_ours_to_move: false }
    }

    #[test]
    fn nothing_moves_for_the_time() {
        let begin = Instant::now();
        let mut idle = Idle::begin(TIMEOUT, begin);
        assert_eq!(idle.look(silent(begin), begin), Some(TIMEOUT / 4));
        let late = begin + TIMEOUT - Duration::from_millis(1);
        assert_eq!(idle.look(silent(begin), late), Some(Duration::from_millis(1)));
        assert_eq!(idle.look(silent(begin), begin + TIMEOUT), None);
    }

    #[test]
    fn what_moved_between_two_looks_counts_from_when_it_did() {
        let begin = Instant::now();
        let mut idle = Idle::begin(TIMEOUT, begin);
        let moved = begin + TIMEOUT / 2;
        assert!(idle.look(silent(moved), begin + TIMEOUT).is_some());
        assert_eq!(idle.look(silent(moved), moved + TIMEOUT), None);
    }

    #[test]
    fn a_peer_that_acknowledges_a_little_now_and_then_is_not_idle() {
        let begin = Instant::now();
        let mut idle = Idle::begin(TIMEOUT, begin);
        // The kernel takes nothing more for it meanwhile.
        let look = |acknowledged| Look { acknowledged, ..silent(begin) };
        for step in 1..20 {
            assert!(idle.look(look(u64::from(step)), begin + TIMEOUT * step).is_some());
        }
        assert_eq!(idle.look(look(19), begin + TIMEOUT * 20), None);
    }

    #[test]
    fn a_pipe_that_waits_for_its_own_output_or_to_read_is_not_idle() {
        let begin = Instant::now();
        let mut idle = Idle::begin(TIMEOUT, begin);
        let ours = Look { is_ours_to_move: true, ..silent(begin) };
        assert!(idle.look(ours, begin + TIMEOUT * 100).is_some());
        // Its time begins when that is done.
        let done = silent(begin + TIMEOUT * 101);
        assert!(idle.look(done, begin + TIMEOUT * 101 + TIMEOUT / 2).is_some());
        assert_eq!(idle.look(done, begin + TIMEOUT * 102), None);
    }

    #[test]
    fn the_longest_time_there_is_overflows_nothing() {
        let begin = Instant::now();
        let mut idle = Idle::begin(Duration::MAX, begin);
        assert!(idle.look(silent(begin), begin + TIMEOUT).is_some());
    }
}
