//! Tells loss that our own pace causes from loss that is there anyway, and sets a ceiling for the
//! first kind only.
//!
//! A path that can carry so much and no more answers as often when we send less; a path that loses
//! one packet in ten answers less often then. So where more is lost than is known to be lost anyway,
//! the pace is cut for a moment, and what becomes of those probes tells the two apart (the idea of
//! comparing two rates is that of PCC: Dong et al., NSDI 2015).
//!
//! Where answers are too few for that, ports that run out of attempts ask for the same: the pace is
//! cut to what got through, again as long as that helps. Each time a pace turns out too fast, attempts
//! that left at it count for nothing (see `void.rs`).

mod pace;
mod rounds;

use std::time::Instant;

use pace::Pace;
pub(super) use rounds::Fate;
use rounds::{ROUND, Round, Rounds};

/// A measurement takes one round at least, until it has this many answers ...
const ENOUGH_ANSWERS: u64 = 150;
/// ... or has taken this many rounds.
const MOST_ROUNDS: u32 = 10;
/// With fewer, nothing can be told.
const LEAST_ANSWERS: u64 = 40;
/// Loss above the tolerated that is looked into.
const NOTABLE_LOSS: f64 = 0.03;
/// And by how many standard deviations it has to be above.
const SIGMAS: f64 = 3.0;
/// What a trial leaves of the pace, and how many rounds it takes at least.
const TRIAL: f64 = 0.6;
const LEAST_TRIAL: u32 = 2;
/// What has to be left of the loss where attempts ran out, which takes so long that little is enough.
const HELPED_LITTLE: f64 = 0.9;
/// What is left of a ceiling then, at most.
const MOST_KEPT: f64 = 0.5;
/// Loss that differs by no more may be the same.
const ALIKE: f64 = 1.25;
/// What an overrun of this machine's own buffers leaves of the pace.
const OVERRUN: f64 = 0.7;
/// How a ceiling grows by a measurement without notable loss.
const GROWTH: f64 = 1.1;
/// Measurements without growth after a step that brought nothing.
const REST: u32 = 4;
/// How near to what a full path carries the ceiling is set.
const FILL: f64 = 0.98;
/// Cuts of a ceiling in a row before a trial asks whether they help.
const MOST_CUTS: u32 = 3;
/// A ceiling that has grown this far above what is sent holds nothing back.
const IDLE: f64 = 4.0;
/// Never slower than this by evidence of loss alone, per second.
const LEAST_RATE: f64 = 100.0;

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No ceiling, or one that is being looked after.
    Steady,
    /// The pace is cut for some rounds; `back` is the ceiling to go back to.
    Trial { before: Pace, back: Option<f64>, first_round: u64, rounds: u32 },
}

/// The judge of loss, for one engine.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    rounds: Rounds,
    phase: Phase,
    /// Probes per second.
    ceiling: Option<f64>,
    least: f64,
    /// The loss that a slower pace does not lower.
    tolerated: f64,
    /// How often the pace turned out too fast for the path.
    slowdowns: u32,
    /// The loss at which [`slow_down`](Self::slow_down) last cut it.
    cut_at: Option<f64>,
    /// Cuts since the ceiling last grew.
    cuts: u32,
    /// What was measured before the ceiling last grew.
    grown_from: Option<Pace>,
    /// Measurements until it may grow again.
    rest: u32,
    /// What is being measured, over some rounds.
    measured: Round,
    count: u32,
    /// Rounds before this one were sent at another pace than the one to be judged.
    ignore_before: u64,
}

impl Congestion {
    /// For an engine that has this `share` of the scan's pace.
    pub(super) fn new(now: Instant, share: f64) -> Self {
        Self {
            rounds: Rounds::new(now),
            phase: Phase::Steady,
            ceiling: None,
            least: LEAST_RATE * share,
            tolerated: 0.0,
            slowdowns: 0,
            cut_at: None,
            cuts: 0,
            grown_from: None,
            rest: 0,
            measured: Round::default(),
            count: 0,
            ignore_before: 0,
        }
    }

    /// Most probes per second, where there is a limit.
    pub(super) fn ceiling(&self) -> Option<f64> {
        self.ceiling
    }

    /// A probe leaves.
    pub(super) fn sent(&mut self) {
        self.rounds.sent();
    }

    /// A probe that was counted as sent did not leave.
    pub(super) fn unsent(&mut self) {
        self.rounds.unsent();
    }

    /// What became of probes.
    pub(super) fn learn(&mut self, now: Instant, fate: Fate) {
        self.rounds.learn(now, fate);
    }

    /// This machine had no room for packets of ours. That needs no trial; one cut a round.
    pub(super) fn overrun(&mut self) {
        let current = self.rounds.current();
        if current < self.ignore_before {
            return;
        }
        let sending = self.rounds.sending();
        let from = self.ceiling.map_or(sending, |ceiling| ceiling.min(sending));
        self.ceiling = Some((from * OVERRUN).max(self.least));
        self.phase = Phase::Steady;
        self.forget_before(current + 1);
    }

    /// How often the pace turned out too fast for the path: probes that left before the last time say
    /// nothing of a port.
    pub(super) fn slowdowns(&self) -> u32 {
        self.slowdowns
    }

    /// Ports stay silent through all their attempts while `loss` of the probes get lost: by that they
    /// may well be open. Cuts the pace to what got through, unless that is known, or was tried, in
    /// vain. Whether it did.
    pub(super) fn slow_down(&mut self, loss: f64) -> bool {
        let own = loss <= self.tolerated * ALIKE + NOTABLE_LOSS;
        let in_vain = self.cut_at.is_some_and(|before| loss > before * HELPED_LITTLE);
        let slowest = self.ceiling.is_some_and(|ceiling| ceiling <= self.least);
        if own || in_vain || slowest {
            return false;
        }
        let sending = self.rounds.sending_lately();
        let most = self.ceiling.map_or(f64::MAX, |ceiling| ceiling * MOST_KEPT);
        self.ceiling = Some((sending * (1.0 - loss)).min(most).max(self.least));
        self.cut_at = Some(loss);
        self.phase = Phase::Steady;
        self.slowdowns += 1;
        self.forget_before(self.rounds.current() + 1);
        true
    }

    /// The time has come to `now`; whether the ceiling may have changed.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        let mut changed = false;
        if self.rounds.begin(now) {
            changed = self.end_trial();
            while let Some((number, round)) = self.rounds.next_ripe(now) {
                if number >= self.ignore_before {
                    self.measure(round);
                    changed = true;
                }
            }
        }
        changed
    }

    /// A trial has been sent: back to the pace before, until its fate is known.
    fn end_trial(&mut self) -> bool {
        let current = self.rounds.current();
        let Phase::Trial { back, first_round, rounds, .. } = self.phase else { return false };
        let over = current == first_round + u64::from(rounds);
        if over {
            self.ceiling = back;
        }
        over
    }

    fn measure(&mut self, round: Round) {
        self.measured.add(&round);
        self.count += 1;
        let wanted = match self.phase {
            Phase::Trial { rounds, .. } => self.count >= rounds,
            Phase::Steady => self.measured.answered >= ENOUGH_ANSWERS || self.count >= MOST_ROUNDS,
        };
        if wanted {
            let measured = std::mem::take(&mut self.measured);
            self.count = 0;
            self.judge(&measured);
        }
    }

    fn judge(&mut self, measured: &Round) {
        let pace = Pace::of(measured);
        // Silence is no reason to be slow.
        let mute = measured.answered + measured.lost < LEAST_ANSWERS;
        match self.phase {
            Phase::Trial { before, back, .. } => {
                self.phase = Phase::Steady;
                if mute {
                    // Nothing was learned: as before.
                } else if before.was_too_fast(pace) {
                    self.slowdowns += 1;
                    self.hold(before.carried.max(pace.carried));
                } else if before.lost_less(pace) {
                    // Something else has changed, and nothing was learned.
                    self.ceiling = back;
                } else {
                    self.tolerated = pace.loss;
                    self.ceiling = None;
                }
                // What was sent since the trial says nothing new.
                self.forget_before(self.rounds.current() + 1);
            }
            Phase::Steady if mute || !measured.loses(self.tolerated) => {
                // A path that got better is not to get worse again unseen.
                if !mute && pace.loss < self.tolerated {
                    self.tolerated = f64::midpoint(self.tolerated, pace.loss);
                }
                self.grow(pace, mute);
            }
            Phase::Steady if self.ceiling.is_some() && self.cuts < MOST_CUTS => {
                self.cuts += 1;
                self.hold(pace.carried);
                self.forget_before(self.rounds.current() + 1);
            }
            // By itself it is slower already.
            Phase::Steady if self.rounds.sending() < pace.sent * TRIAL => {}
            Phase::Steady => {
                let first_round = self.rounds.current() + 1;
                let answers = pace.answered * TRIAL * ROUND.as_secs_f64();
                let rounds = (ENOUGH_ANSWERS as f64 / answers.max(1.0)).ceil() as u32;
                self.phase = Phase::Trial {
                    before: pace,
                    back: self.ceiling,
                    first_round,
                    rounds: rounds.clamp(LEAST_TRIAL, MOST_ROUNDS),
                };
                self.ceiling = Some((pace.sent * TRIAL).max(self.least));
                self.cuts = 0;
                self.forget_before(first_round);
            }
        }
    }

    /// The path is full with so many probes a second.
    fn hold(&mut self, carried: f64) {
        self.ceiling = Some((carried / (1.0 - self.tolerated) * FILL).max(self.least));
    }

    /// Tries a little more, unless the last step brought no more answers: where probes wait to be
    /// repeated, loss is learned of too late to go by.
    fn grow(&mut self, pace: Pace, mute: bool) {
        self.cuts = 0;
        let Some(ceiling) = self.ceiling else { return };
        // The next step waits for what comes of this one.
        let before = self.grown_from;
        self.forget_before(self.rounds.current() + 1);
        let more = |now: f64, before: f64| now > before * f64::midpoint(1.0, GROWTH);
        if before.is_some_and(|it| more(pace.sent, it.sent) && !more(pace.answered, it.answered)) {
            self.ceiling = Some(ceiling / GROWTH);
            self.rest = REST;
        } else if self.rest > 0 {
            self.rest -= 1;
        } else {
            self.grown_from = Some(pace);
            let grown = ceiling * GROWTH;
            // Few answers may come of few probes: still they must not go all at once.
            let idle = !mute && grown > pace.sent.max(self.least) * IDLE;
            self.ceiling = (!idle).then_some(grown);
        }
    }

    fn forget_before(&mut self, round: u64) {
        self.ignore_before = round;
        self.grown_from = None;
        self.measured = Round::default();
        self.count = 0;
    }
}

impl Round {
    /// Whether it lost notably more than `tolerated`.
    fn loses(&self, tolerated: f64) -> bool {
        let chance = SIGMAS * self.deviation(tolerated.max(0.01));
        self.loss() > tolerated + NOTABLE_LOSS.max(chance)
    }

    /// The standard deviation of its loss, where `loss` is the true one.
    fn deviation(&self, loss: f64) -> f64 {
        (loss * (1.0 - loss) / self.answered.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests;
