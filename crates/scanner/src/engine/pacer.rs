//! When the next probe may go: a rate that finds itself, under a ceiling the user may set.

use std::time::{Duration, Instant};

/// What a scan may send per second before anything has answered.
const BLIND_RATE: f64 = 50_000.0;
/// Where the ramp to the blind rate starts, per second.
const FIRST_RATE: f64 = 2_000.0;
/// The ramp doubles in this time: 50,000/s stand after a quarter of a second.
const DOUBLING: Duration = Duration::from_millis(50);
/// Never slower than this by evidence of loss alone, per second.
const LEAST_RATE: f64 = 500.0;
/// Probes that an answered one makes room for: above 1, so that answers raise the pace.
const ANSWER_CREDIT: f64 = 1.5;
/// What one round of loss leaves of the pace.
const LOSS_FACTOR: f64 = 0.8;
/// Loss is judged once in this time.
const LOSS_ROUND: Duration = Duration::from_millis(100);
/// For this long after loss, answers make no room beyond the rate.
const LOSS_MEMORY: Duration = Duration::from_secs(1);
/// How fast the rate grows once there was loss, per second and second: the ramp is over.
const RECOVERY: f64 = 10_000.0;
/// Most probes that may go at once.
const BURST: f64 = 1_024.0;
/// One probe's worth of credit, less what floating point may have lost.
const WHOLE: f64 = 1.0 - 1e-9;
/// How much of the ceiling's time may be saved up: a timer's grain.
const CEILING_BURST: Duration = Duration::from_millis(2);

/// A token bucket whose fill rate ramps to [`BLIND_RATE`], and into which each answer puts more.
///
/// Silence neither cuts nor blocks growth; only an answer to a repeated probe (evidence of loss)
/// lowers the pace.
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    share: f64,
    rate: f64,
    credit: f64,
    ceiling: Option<f64>,
    ceiling_credit: f64,
    refilled: Instant,
    loss_seen: Option<Instant>,
}

impl Pacer {
    /// `share` is this engine's part of the whole scan's pace, above 0 and at most 1.
    pub(super) fn new(now: Instant, ceiling: Option<u32>, share: f64) -> Self {
        let ceiling = ceiling.map(|rate| f64::from(rate.max(1)) * share);
        Self {
            share,
            rate: FIRST_RATE * share,
            credit: 64.0,
            ceiling,
            ceiling_credit: 1.0,
            refilled: now,
            loss_seen: None,
        }
    }

    /// Whether a probe may go now.
    pub(super) fn may_send(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.has_credit()
    }

    pub(super) fn sent(&mut self) {
        self.credit -= 1.0;
        self.ceiling_credit -= 1.0;
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

    /// A probe was answered; `repeated` where it was not the first for its port.
    pub(super) fn answered(&mut self, now: Instant, repeated: bool) {
        let since_loss = self.loss_seen.map(|seen| now.saturating_duration_since(seen));
        if repeated && since_loss.is_none_or(|since| since >= LOSS_ROUND) {
            self.loss_seen = Some(now);
            self.rate = (self.rate * LOSS_FACTOR).max(LEAST_RATE * self.share);
        } else if since_loss.is_none_or(|since| since >= LOSS_MEMORY) {
            self.credit = (self.credit + ANSWER_CREDIT).min(BURST);
        }
    }

    fn has_credit(&self) -> bool {
        self.credit >= WHOLE && (self.ceiling.is_none() || self.ceiling_credit >= WHOLE)
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled);
        if elapsed.is_zero() {
            return;
        }
        self.refilled = now;
        let seconds = elapsed.as_secs_f64();
        // A long silence is no licence for a long burst.
        self.credit = (self.credit + self.rate * seconds).min(BURST);
        if let Some(ceiling) = self.ceiling {
            let most = (ceiling * CEILING_BURST.as_secs_f64()).max(1.0);
            self.ceiling_credit = (self.ceiling_credit + ceiling * seconds).min(most);
        }
        let grown = if self.loss_seen.is_some() {
            self.rate + RECOVERY * self.share * seconds
        } else {
            self.rate * (seconds / DOUBLING.as_secs_f64()).min(16.0).exp2()
        };
        self.rate = grown.min(BLIND_RATE * self.share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends whatever may go for `span`, polling each time the pacer says; returns how many went.
    fn run(pacer: &mut Pacer, start: Instant, span: Duration, answered: bool) -> u32 {
        let (mut now, mut sent) = (start, 0);
        while now < start + span {
            if pacer.may_send(now) {
                pacer.sent();
                sent += 1;
                if answered {
                    now += Duration::from_micros(1);
                    pacer.answered(now, false);
                }
            } else {
                now = pacer.next_at().max(now + Duration::from_micros(1));
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
    fn loss_slows_and_silence_after_it_recovers() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, None, 1.0);
        run(&mut pacer, start, Duration::from_secs(1), false);
        let before = pacer.rate;
        let mut now = start + Duration::from_secs(1);
        for _ in 0..100 {
            pacer.answered(now, true);
        }
        assert!((pacer.rate / before - LOSS_FACTOR).abs() < 1e-9, "one round, one cut");
        now += Duration::from_secs(1);
        pacer.may_send(now);
        assert!((pacer.rate - BLIND_RATE).abs() < 1e-9);
    }

    #[test]
    fn lasting_loss_brings_the_pace_down() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, None, 1.0);
        run(&mut pacer, start, Duration::from_secs(1), true);
        let mut now = start + Duration::from_secs(1);
        for _ in 0..100 {
            now += LOSS_ROUND;
            pacer.may_send(now);
            pacer.answered(now, true);
        }
        let sent = run(&mut pacer, now, Duration::from_millis(900), false);
        assert!(sent < 15_000, "{sent} in 0.9 s after ten seconds of loss");
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
