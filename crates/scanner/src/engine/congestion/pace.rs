//! What a path did at one pace, and what a slower one says of it.

use super::rounds::Round;
use super::{ALIKE, NOTABLE_LOSS};

/// What has to be left of the loss, for a slower pace to have helped.
const HELPED: f64 = 0.6;

/// What a measurement says, per second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) sent: f64,
    pub(super) answered: f64,
    /// What the path carried: probes and answers that were not lost.
    pub(super) carried: f64,
    /// The part of the probes that was lost, and by how much chance alone may change it.
    pub(super) loss: f64,
    pub(super) deviation: f64,
}

impl Pace {
    pub(super) fn of(round: &Round) -> Self {
        let seconds = round.span.as_secs_f64().max(1e-3);
        let (sent, loss) = (round.sent as f64 / seconds, round.loss());
        Self {
            sent,
            answered: round.answered as f64 / seconds,
            carried: sent * (1.0 - loss),
            loss,
            deviation: round.deviation(loss),
        }
    }

    /// Whether a slower pace `now` lost less, or the path still answered as often.
    pub(super) fn was_too_fast(self, now: Self) -> bool {
        let sent_share = now.sent / self.sent.max(1.0);
        let answered_share = now.answered / self.answered.max(1.0);
        // Halfway between "as many answers as before" and "as many for each probe".
        let as_many = sent_share < 0.9 && answered_share > f64::midpoint(1.0, sent_share);
        let chance = 2.0 * self.deviation.hypot(now.deviation);
        as_many || now.loss < (self.loss * HELPED).min(self.loss - chance)
    }

    /// Whether a slower pace `now` even lost notably more.
    pub(super) fn lost_less(self, now: Self) -> bool {
        now.loss > self.loss * ALIKE + NOTABLE_LOSS
    }
}
