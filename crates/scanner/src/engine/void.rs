//! Attempts that count for nothing: those that left faster than the path turned out to carry.
//!
//! Silence is evidence only where a probe would likely have come through. Where the pace was too fast,
//! most probes were lost to it, so the verdict has to rest on those that left since it was cut.

use super::Engine;
use super::slots::Slot;

/// However often the pace is cut, a port is not asked its question more often than that, unless the user
/// says so.
const MOST_ROUNDS: u32 = 60;

impl Engine {
    /// Whether the pace was cut since this was last asked: from now on other attempts count.
    pub(super) fn note_slowdown(&mut self) {
        // Whoever says how often to ask means every attempt.
        if self.config.retries.is_none() && self.slowdowns != self.pacer.slowdowns() {
            self.slowdowns = self.pacer.slowdowns();
            self.attempts.forget_loss();
        }
    }

    /// The port is asked again, with this attempt. Only from the first of its questions on does it
    /// begin to count.
    pub(super) fn forget_void(&self, slot: &mut Slot, attempt: u32) {
        if slot.slowdowns != self.slowdowns
            && (attempt - 1).is_multiple_of(self.questions_for(slot.target))
        {
            slot.slowdowns = self.slowdowns;
            slot.void = self.round_of(slot.target, attempt) - 1;
        }
    }

    /// The number of a round among those that count; `None` where it does not.
    pub(super) fn counted(&self, slot: &Slot, round: u32) -> Option<u32> {
        let counts = slot.slowdowns == self.slowdowns && round > slot.void;
        counts.then(|| round - slot.void)
    }

    /// Whether the port was asked all its questions in so many rounds that count.
    pub(super) fn was_asked(&self, slot: &Slot, rounds: u32) -> bool {
        let questions = self.questions_for(slot.target);
        let in_rounds = |rounds: u32| slot.attempts >= rounds.saturating_mul(questions);
        in_rounds(rounds.max(MOST_ROUNDS))
            || (slot.slowdowns == self.slowdowns && in_rounds(slot.void.saturating_add(rounds)))
    }

    /// All attempts at the port were in vain: whether the estimate says that it may well be open, and
    /// a slower pace may tell.
    pub(super) fn may_be_lost(&mut self, slot: &Slot) -> bool {
        let slowed = self.groups.host(slot.group, slot.host).up
            && self.attempts.falls_short().is_some_and(|loss| self.pacer.slow_down(loss));
        if slowed {
            self.note_slowdown();
        }
        slowed
    }
}
