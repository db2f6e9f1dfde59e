//! When descriptors, or other resources, run out: how long to pause, and from when on those who
//! wait are told.

use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

/// The first pause after `accept` failed for want of resources; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest pause: how late the server may notice that resources are back.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// For how long clients are left waiting before they are refused: a short shortage costs nobody
/// its connection.
const PATIENCE: Duration = Duration::from_millis(100);

/// One episode: from the first failure to the next connection that is accepted to be served, or to
/// when nobody waits and there are descriptors again.
#[derive(Debug)]
pub(super) struct Shortage {
    since: Instant,
    pause: Duration,
    /// Clients refused in it.
    pub(super) refused: u64,
}

impl Shortage {
    pub(super) fn begin(now: Instant) -> Self {
        Self { since: now, pause: FIRST_PAUSE, refused: 0 }
    }

    /// How long to wait before the next try.
    #[must_use]
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// Whether those who wait are to be told by now.
    pub(super) fn is_long(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= PATIENCE
    }

    pub(super) fn lasted(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }
}

/// A descriptor that does nothing but be there: given up for a moment, it lets a connection be
/// accepted and closed where there is no descriptor left.
#[derive(Debug)]
pub(super) struct Reserve(Option<Socket>);

impl Reserve {
    pub(super) fn new() -> Self {
        let mut reserve = Self(None);
        reserve.restore();
        reserve
    }

    /// Whether there was one to give up.
    pub(super) fn give_up(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Takes a descriptor again, if there is one.
    pub(super) fn restore(&mut self) {
        if self.0.is_none() {
            self.0 = spare();
        }
    }

    /// Whether it is there again, and at least one descriptor besides.
    pub(super) fn is_whole(&mut self) -> bool {
        self.restore();
        self.0.is_some() && spare().is_some()
    }
}

/// A socket that is never bound: of the kinds of descriptors, one that needs no file.
fn spare() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_bound() {
        let mut shortage = Shortage::begin(Instant::now());
        let pauses: Vec<_> = (0..8).map(|_| shortage.next_pause().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 250, 250]);
    }

    #[test]
    fn only_a_long_shortage_is_told_to_those_who_wait() {
        let begun = Instant::now();
        let shortage = Shortage::begin(begun);
        assert!(!shortage.is_long(begun + Duration::from_millis(99)));
        assert!(shortage.is_long(begun + Duration::from_millis(100)));
    }

    #[test]
    fn the_reserve_is_given_up_once() {
        let mut reserve = Reserve::new();
        assert!(reserve.give_up());
        assert!(!reserve.give_up());
        reserve.restore();
        assert!(reserve.give_up());
    }
}
