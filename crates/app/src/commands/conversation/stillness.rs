//! For how long something has stood still: the rule, with the time passed in.

use std::time::Duration;

use tokio::time::Instant;

/// Since when the same was seen at every look.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Stillness<T> {
    last: T,
    since: Instant,
}

impl<T: PartialEq> Stillness<T> {
    pub(in crate::commands) const fn begin(seen: T, now: Instant) -> Self {
        Self { last: seen, since: now }
    }

    /// For how long it has been so.
    pub(in crate::commands) fn look(&mut self, seen: T, now: Instant) -> Duration {
        if seen != self.last {
            (self.last, self.since) = (seen, now);
        }
        now.saturating_duration_since(self.since)
    }

    /// It does not stand still now, whatever is seen.
    pub(in crate::commands) fn stir(&mut self, now: Instant) {
        self.since = self.since.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_counts_from_the_last_change_that_was_seen() {
        let begin = Instant::now();
        let mut stillness = Stillness::begin(3, begin);
        assert_eq!(stillness.look(3, begin + SECOND), SECOND);
        assert_eq!(stillness.look(2, begin + SECOND * 2), Duration::ZERO);
        assert_eq!(stillness.look(2, begin + SECOND * 5), SECOND * 3);
    }

    #[test]
    fn what_stirs_it_is_never_forgotten_for_something_earlier() {
        let begin = Instant::now();
        let mut stillness = Stillness::begin(0, begin);
        stillness.stir(begin + SECOND * 2);
        stillness.stir(begin + SECOND);
        assert_eq!(stillness.look(0, begin + SECOND * 3), SECOND);
    }
}
