//! When the next probe may go: a rate that finds itself, under a ceiling the user may set.

use std::time::{Duration, Instant};

use super::congestion::{Congestion, Fate};

/// What a scan may send per second before anything has answered.
const BLIND_RATE: f64 = 50_000.0;
/// Where the ramp to the blind rate starts, per second.
const FIRST_RATE: f64 = 2_000.0;
/// The ramp doubles in this time: 50,000/s stand after a quarter of a second.
const DOUBLING: Duration = Duration::from_millis(50);
/// Probes that an answered one makes room for: above 1, so that answers raise the pace.
const ANSWER_CREDIT: f64 = 1.5;
/// Most probes that may go at once.
const BURST: f64 = 1_024.0;
/// One probe's worth of credit, less what floating point may have lost.
const WHOLE: f64 = 1.0 - 1e-9;
/// How much of a ceiling's time may be saved up: a timer's grain.
const CEILING_BURST: Duration = Duration::from_millis(2);

/// Two token buckets. The first fills at a rate that ramps to [`BLIND_RATE`], and each answer puts
/// more into it; silence neither cuts nor blocks its growth. The second is there only where there is
/// a ceiling: the user's, or the one that evidence of loss has set ([`Congestion`]).
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    blind_rate: f64,
    rate: f64,
    credit: f64,
    users: Option<f64>,
    congestion: Congestion,
    ceiling: Option<f64>,
    ceiling_credit: f64,
    refilled: Instant,
}

impl Pacer {
    /// `share` is this engine's part of the whole scan's pace, above 0 and at most 1.
    pub(super) fn new(now: Instant, ceiling: Option<u32>, share: f64) -> Self {
        let users = ceiling.map(|rate| f64::from(rate.max(1)) * share);
        Self {
            blind_rate: BLIND_RATE * share,
            rate: FIRST_RATE * share,
            credit: 64.0,
            users,
            congestion: Congestion::new(now, share),
            ceiling: users,
            ceiling_credit: 1.0,
            refilled: now,
        }
    }

    /// Whether a probe may go now.
    pub(super) fn may_send(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.has_credit()
    }

    pub(super) fn sent(&mut self) {
        self.credit -= 1.0;
        if self.ceiling.is_some() {
            self.ceiling_credit -= 1.0;
        }
        self.congestion.sent();
    }

    /// A probe that was counted as sent did not leave.
    pub(super) fn unsent(&mut self) {
        self.congestion.unsent();
    }

    /// A probe is held back, and nothing leaves in its place: a ceiling has room for another one.
    pub(super) fn kept_back(&mut self) {
        self.ceiling_credit += 1.0;
    }

    /// Whether the ceiling lets a probe that was held back leave now.
    pub(super) fn may_depart(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.ceiling.is_none() || self.ceiling_credit >= WHOLE
    }

    /// A probe that was held back leaves only now; of what is no ceiling it had its credit.
    pub(super) fn departed(&mut self) {
        if self.ceiling.is_some() {
            self.ceiling_credit -= 1.0;
        }
        self.congestion.sent();
    }

    /// When a probe may go, where it may not now.
    pub(super) fn next_at(&self) -> Instant {
        if self.has_credit() {
            return self.refilled;
        }
        let wait =
            |credit: f64, rate: f64| Duration::from_secs_f64(((1.0 - credit) / rate).max(0.0));
        let paced = wait(self.credit, self.rate);
        let capped = self.ceiling.map_or(Duration::ZERO, |rate| wait(self.ceiling_credit, rate));
        // Rounded up, so that the time waited for is enough.
        self.refilled + paced.max(capped) + Duration::from_nanos(1)
    }

    /// A port answered, and tells what became of the probes for it.
    pub(super) fn answered(&mut self, now: Instant, fate: Fate) {
        self.credit = (self.credit + ANSWER_CREDIT).min(BURST);
        self.congestion.learn(now, fate);
    }

    /// See [`Congestion::slowdowns`].
    pub(super) fn slowdowns(&self) -> u32 {
        self.congestion.slowdowns()
    }

    /// See [`Congestion::slow_down`].
    pub(super) fn slow_down(&mut self, loss: f64) -> bool {
        let slowed = self.congestion.slow_down(loss);
        self.set_ceiling();
        slowed
    }

    /// This machine had no room for what it was to send or to receive.
    pub(super) fn overrun(&mut self) {
        self.congestion.overrun();
        self.set_ceiling();
    }

    fn has_credit(&self) -> bool {
        self.credit >= WHOLE && (self.ceiling.is_none() || self.ceiling_credit >= WHOLE)
    }

    fn set_ceiling(&mut self) {
        let ceilings = [self.users, self.congestion.ceiling()];
        self.ceiling = ceilings.into_iter().flatten().reduce(f64::min);
        if self.ceiling.is_none() {
            self.ceiling_credit = 1.0;
        }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled);
        if elapsed.is_zero() {
            return;
        }
        self.refilled = now;
        if self.congestion.look(now) {
            self.set_ceiling();
        }
        let seconds = elapsed.as_secs_f64();
        // A long silence is no licence for a long burst.
        self.credit = (self.credit + self.rate * seconds).min(BURST);
        if let Some(ceiling) = self.ceiling {
            let most = (ceiling * CEILING_BURST.as_secs_f64()).max(1.0);
            self.ceiling_credit = (self.ceiling_credit + ceiling * seconds).min(most);
        }
        let doublings = (seconds / DOUBLING.as_secs_f64()).min(16.0);
        self.rate = (self.rate * doublings.exp2()).min(self.blind_rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends whenever allowed, for `time`, and answers at once where told to; counts.
    fn run(pacer: &mut Pacer, start: Instant, time: Duration, answer: bool) -> u32 {
        let (mut now, mut sent) = (start, 0);
        while now < start + time {
            if pacer.may_send(now) {
                pacer.sent();
                sent += 1;
                if answer {
                    pacer.answered(now, Fate { answered: Some(now), lost: None });
                }
                now += Duration::from_micros(1);
            } else {
                now = pacer.next_at().max(now);
            }
        }
        sent
    }

    #[test]
    fn silence_ramps_to_the_blind_rate_and_stays() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, None, 1.0);
        let ramp = run(&mut pacer, start, Duration::from_millis(250), false);
        let second =
            run(&mut pacer, start + Duration::from_millis(250), Duration::from_secs(1), false);
        assert!((2_000..10_000).contains(&ramp), "{ramp}");
        assert!((49_000..=51_100).contains(&second), "{second}");
    }

    #[test]
    fn answers_lift_the_pace_above_the_blind_rate() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, None, 1.0);
        let sent = run(&mut pacer, start, Duration::from_secs(1), true);
        assert!(sent > 900_000, "{sent} in a second that has room for 1,000,000");
    }

    #[test]
    fn the_ceiling_holds_even_where_all_answer() {
        let start = Instant::now();
        for rate in [1, 100, 10_000] {
            let mut pacer = Pacer::new(start, Some(rate), 1.0);
            let sent = run(&mut pacer, start, Duration::from_secs(2), true);
            let most = 2 * rate + 1 + rate / 500;
            assert!((2 * rate - rate / 20..=most).contains(&sent), "{sent} at {rate}/s");
        }
    }

    #[test]
    fn an_overrun_slows_at_once() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, None, 1.0);
        let before = run(&mut pacer, start, Duration::from_secs(1), true);
        let later = start + Duration::from_secs(1);
        pacer.overrun();
        let after = run(&mut pacer, later, Duration::from_millis(190), true) * 5;
        assert!(after < before * 4 / 5, "{after} a second after {before}");
    }

    #[test]
    fn shares_add_up() {
        let start = Instant::now();
        let sent: u32 = (0..2)
            .map(|_| {
                run(&mut Pacer::new(start, Some(1_000), 0.5), start, Duration::from_secs(1), true)
            })
            .sum();
        assert!((950..=1_004).contains(&sent), "{sent}");
    }
}
