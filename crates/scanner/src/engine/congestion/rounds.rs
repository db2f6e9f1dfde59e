//! What became of the probes, by the time at which they were sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Probes sent in such a span are looked at together.
pub(super) const ROUND: Duration = Duration::from_millis(100);
/// Rounds of the last second, the one under way included.
const ROUNDS_LATELY: usize = 11;
/// Rounds remembered; what became of probes sent before is of no more use.
const REMEMBERED: usize = 64;
/// How long it takes to learn of a loss, before one was learned of.
const FIRST_LAG: Duration = Duration::from_millis(300);
/// What is believed of a path that carries next to nothing.
const MOST_LOSS: f64 = 0.95;
const MOST_LAG: Duration = Duration::from_secs(1);

/// What an answer tells of the probes for one port.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Fate {
    /// When the answered probe was sent, where that is known.
    pub(in crate::engine) answered: Option<Instant>,
    /// When the probe before the answered one was sent, if there was one: it was lost.
    pub(in crate::engine) lost: Option<Instant>,
}

/// Counts over a span of time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    pub(super) span: Duration,
    pub(super) sent: u64,
    /// Probes of this time that were answered.
    pub(super) answered: u64,
    /// Probes of this time that were not, while the next one for the same port was.
    pub(super) lost: u64,
}

impl Round {
    pub(super) fn add(&mut self, other: &Self) {
        self.span += other.span;
        self.sent += other.sent;
        self.answered += other.answered;
        self.lost += other.lost;
    }

    /// The part of the probes that was lost. Every port that answers does so once, and tells of a loss
    /// where it had to be asked again: of all that answer, the part that was lost just before.
    pub(super) fn loss(&self) -> f64 {
        (self.lost as f64 / self.answered.max(1) as f64).min(MOST_LOSS)
    }
}

/// The latest rounds.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    latest: VecDeque<(Instant, Round)>,
    /// The number of the first one remembered.
    first: u64,
    /// The number of the first one whose fate was not taken yet.
    next_ripe: u64,
    /// From a lost probe to the answer of the next one, smoothed.
    lag: Duration,
    /// Probes per second, smoothed.
    sending: Option<f64>,
}

impl Rounds {
    pub(super) fn new(now: Instant) -> Self {
        let latest = VecDeque::from([(now, Round::default())]);
        Self { latest, first: 0, next_ripe: 0, lag: FIRST_LAG, sending: None }
    }

    /// The number of the round under way.
    pub(super) fn current(&self) -> u64 {
        self.first + self.latest.len() as u64 - 1
    }

    /// How much is sent per second lately.
    pub(super) fn sending(&self) -> f64 {
        let now = self.latest.back().map_or(0.0, |(_, round)| round.sent as f64);
        self.sending.unwrap_or(now / ROUND.as_secs_f64())
    }

    /// How much was sent per second over the last second.
    pub(super) fn sending_lately(&self) -> f64 {
        let lately = self.latest.iter().rev().take(ROUNDS_LATELY);
        let ended = lately.clone().filter(|(_, round)| !round.span.is_zero());
        let (sent, span) = ended.fold((0, Duration::ZERO), |(sent, span), (_, round)| {
            (sent + round.sent, span + round.span)
        });
        if span.is_zero() { self.sending() } else { sent as f64 / span.as_secs_f64() }
    }

    pub(super) fn sent(&mut self) {
        if let Some((_, round)) = self.latest.back_mut() {
            round.sent += 1;
        }
    }

    pub(super) fn unsent(&mut self) {
        if let Some((_, round)) = self.latest.back_mut() {
            round.sent = round.sent.saturating_sub(1);
        }
    }

    pub(super) fn learn(&mut self, now: Instant, fate: Fate) {
        if let Some(round) = fate.answered.and_then(|at| self.round_at(at)) {
            round.answered += 1;
        }
        if let Some(lost) = fate.lost {
            let lag = now.saturating_duration_since(lost).min(MOST_LAG);
            self.lag = (self.lag * 15 + lag) / 16;
            if let Some(round) = self.round_at(lost) {
                round.lost += 1;
            }
        }
    }

    /// Begins the next round if it is time.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let Some((began, round)) = self.latest.back_mut() else { return false };
        let span = now.saturating_duration_since(*began);
        if span < ROUND {
            return false;
        }
        round.span = span;
        let sent = round.sent as f64 / span.as_secs_f64();
        self.sending = Some(self.sending.map_or(sent, |sending| f64::midpoint(sending, sent)));
        if self.latest.len() == REMEMBERED {
            self.latest.pop_front();
            self.first += 1;
        }
        self.latest.push_back((now, Round::default()));
        true
    }

    /// The next round of which, by now, most losses are known.
    pub(super) fn next_ripe(&mut self, now: Instant) -> Option<(u64, Round)> {
        let number = self.next_ripe.max(self.first);
        if number >= self.current() {
            return None;
        }
        let (began, round) = self.latest.get((number - self.first) as usize)?;
        let ended = *began + round.span;
        let ripe = now.saturating_duration_since(ended) >= self.lag + self.lag / 2;
        // A round that is about to be forgotten is as ripe as it will be.
        if !ripe && self.latest.len() < REMEMBERED {
            return None;
        }
        self.next_ripe = number + 1;
        Some((number, *round))
    }

    fn round_at(&mut self, at: Instant) -> Option<&mut Round> {
        // Answers mostly come for what was sent lately.
        let (_, round) = self.latest.iter_mut().rev().find(|(began, _)| *began <= at)?;
        Some(round)
    }
}
