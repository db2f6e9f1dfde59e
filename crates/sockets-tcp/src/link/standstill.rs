//! For how long a peer has taken nothing of what waits for it.

use std::time::Duration;

use tokio::time::Instant;

use super::Link;
use super::sending::Sending;
use crate::events::lock;

/// How often, within the time a peer may take nothing, it is looked whether it took something: a
/// peer has stalled after that time, and at most a quarter more.
const STALL_SAMPLES: u32 = 4;
/// How often those who queue for a peer that is behind look at it in passing: four times in a
/// second, so that whoever waits for it later knows since when it stands still.
const PASSING_LOOKS: Duration = Duration::from_millis(250);

/// How much a peer had taken when it was last seen to have taken more, and when that was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standstill {
    taken: u64,
    since: Instant,
    looked: Instant,
}

impl Standstill {
    fn begin(taken: u64, now: Instant) -> Self {
        Self { taken, since: now, looked: now }
    }

    fn look(&mut self, taken: u64, now: Instant) {
        self.looked = now;
        if taken != self.taken {
            (self.taken, self.since) = (taken, now);
        }
    }
}

impl Sending {
    /// Something begins to wait for the peer: until now it had nothing to take.
    pub(super) fn begin_standstill(&mut self) {
        self.standstill = Some(Standstill::begin(self.taken_by_peer(), Instant::now()));
    }

    /// Looks at the peer, unless that was done a moment ago.
    pub(super) fn look_in_passing(&mut self) {
        let now = Instant::now();
        if self.standstill.is_none_or(|last| now.duration_since(last.looked) >= PASSING_LOOKS) {
            self.stood_still(now);
        }
    }

    /// For how long the peer has taken nothing, as far as it was looked.
    fn stood_still(&mut self, now: Instant) -> Duration {
        let taken = self.taken_by_peer();
        let standstill = self.standstill.get_or_insert(Standstill::begin(taken, now));
        standstill.look(taken, now);
        now.duration_since(standstill.since)
    }
}

impl Link {
    /// Resolves once the peer has taken nothing for `patience`, measured from now: it acknowledged
    /// none of the bytes that wait for it.
    pub(crate) async fn stalled(&self, patience: Duration) {
        let mut standstill = Standstill::begin(lock(&self.sending).taken_by_peer(), Instant::now());
        loop {
            tokio::time::sleep(patience / STALL_SAMPLES).await;
            let taken = lock(&self.sending).taken_by_peer();
            standstill.look(taken, Instant::now());
            if standstill.since.elapsed() >= patience {
                return;
            }
        }
    }

    /// As [`Link::stalled`], measured from when something began to wait for the peer: at once where
    /// it has stood still for so long already, whoever waited for it.
    pub(crate) async fn stalled_queue(&self, patience: Duration) {
        loop {
            let stood = lock(&self.sending).stood_still(Instant::now());
            let Some(left) = patience.checked_sub(stood).filter(|left| !left.is_zero()) else {
                return;
            };
            tokio::time::sleep(left.min(patience / STALL_SAMPLES)).await;
        }
    }
}
