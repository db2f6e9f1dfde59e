//! When a stopped forwarding has nothing left to do: the rule, with the time passed in.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long nothing must have moved either way.
pub(super) const SILENCE: Duration = Duration::from_millis(500);
/// How long, where the last bytes went to the target: its answer may be under way.
pub(super) const ANSWER: Duration = Duration::from_secs(2);
/// How often it is looked: no poller tells of an acknowledgement.
const PAUSE: Duration = Duration::from_millis(50);

/// A forwarding at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Bytes that came from the client.
    pub(super) up: u64,
    /// Bytes that came from the target.
    pub(super) down: u64,
    /// Whether the last ones came from the client.
    pub(super) is_asked: bool,
    /// Bytes that are on their way through, and not acknowledged where they go.
    pub(super) outstanding: usize,
}

/// Looks until it has been quiet for long enough.
#[derive(Debug)]
struct Quiet {
    last: Look,
    since: Instant,
}

impl Quiet {
    fn begin(look: Look, now: Instant) -> Self {
        Self { last: look, since: now }
    }

    /// Whether all that came is acknowledged, and nothing came for long enough.
    fn is_over(&mut self, look: Look, now: Instant) -> bool {
        if look != self.last {
            (self.last, self.since) = (look, now);
        }
        let pause = if look.is_asked { ANSWER } else { SILENCE };
        look.outstanding == 0 && now.duration_since(self.since) >= pause
    }
}

/// Until the command is to stop, and the forwarding has nothing left to do.
pub(super) async fn after(stop: &CancellationToken, look: impl Fn() -> Look) {
    stop.cancelled().await;
    let mut quiet = Quiet::begin(look(), Instant::now());
    loop {
        sleep(PAUSE).await;
        if quiet.is_over(look(), Instant::now()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_idle_is_done_soon() {
        let begin = Instant::now();
        let mut quiet = Quiet::begin(Look::default(), begin);
        assert!(!quiet.is_over(Look::default(), begin + SILENCE / 2));
        assert!(quiet.is_over(Look::default(), begin + SILENCE));
    }

    #[test]
    fn every_byte_begins_the_silence_anew() {
        let begin = Instant::now();
        let mut quiet = Quiet::begin(Look::default(), begin);
        let mut last = Look::default();
        for step in 1..20 {
            last.down += 1;
            assert!(!quiet.is_over(last, begin + SILENCE * step));
        }
        assert!(quiet.is_over(last, begin + SILENCE * 20));
    }

    #[test]
    fn what_is_not_acknowledged_is_waited_for() {
        let begin = Instant::now();
        let stuck = Look { outstanding: 1, ..Look::default() };
        let mut quiet = Quiet::begin(stuck, begin);
        assert!(!quiet.is_over(stuck, begin + SILENCE * 100));
        // The acknowledgement is a movement, too.
        assert!(!quiet.is_over(Look::default(), begin + SILENCE * 101));
        assert!(quiet.is_over(Look::default(), begin + SILENCE * 102));
    }

    #[test]
    fn an_answer_is_waited_for_longer() {
        let begin = Instant::now();
        let asked = Look { up: 10, is_asked: true, ..Look::default() };
        let mut quiet = Quiet::begin(asked, begin);
        assert!(!quiet.is_over(asked, begin + SILENCE * 2));
        assert!(quiet.is_over(asked, begin + ANSWER));
    }
}
