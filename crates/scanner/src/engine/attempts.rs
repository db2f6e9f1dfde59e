//! How often to ask: an estimate of what silence may still hide.
//!
//! Attempts that left faster than the path can carry say next to nothing: whenever the pace turns out
//! to have been too fast for it, the loss is learned anew, and the attempts before count for nothing.

use super::config::EngineConfig;

/// Ports that would answer and are missed, at most, of the whole scan.
const MAY_MISS: f64 = 0.001;
/// What is believed of the loss before anything was seen: half a packet of 20.
const PRIOR_LOST: f64 = 0.5;
const PRIOR_ASKED: f64 = 20.0;
/// Open ports that have answered before their loss alone is believed: a limit on resets touches only
/// the closed ones.
const ENOUGH_OPEN: u64 = 50;
/// Never less by itself: one packet may always be lost.
const LEAST: u32 = 2;
/// Never more, however bad the loss: past that the path is down rather than lossy.
const MOST: u32 = 12;

/// Hosts heard of before their way of answering says something about the silent ones.
const ENOUGH_HOSTS: u64 = 8;
/// The chance that a host which is up is taken for dead.
const MAY_MISJUDGE: f64 = 0.001;
/// A host is asked that often, at least, before it is taken for dead.
const LEAST_SILENT: u16 = 4;
/// A scan of so many hosts takes one for dead after so much silence before it has heard of any other.
const WIDE: u64 = 256;
const SILENT_IN_WIDE: u16 = 64;

/// Counts of probes that were answered and of probes that got lost on the way, by the ports that
/// did answer: of `n` attempts up to the answered one, `n - 1` were lost.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    /// Ports that answered, to whichever attempt.
    ports: u64,
    /// Probes that were answered and lost, of those that count.
    answered: u64,
    lost: u64,
}

impl Answers {
    fn note(&mut self, attempt: Option<u32>) {
        self.ports += 1;
        if let Some(attempt) = attempt {
            self.answered += 1;
            self.lost += u64::from(attempt.saturating_sub(1));
        }
    }

    /// How likely a probe or its answer is lost; the mean of a beta distribution.
    fn loss(self) -> f64 {
        let (lost, answered) = (self.lost as f64, self.answered as f64);
        (lost + PRIOR_LOST) / (lost + answered + PRIOR_ASKED)
    }
}

/// Decides how many attempts silence is worth.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    /// As the user asked for.
    asked: Option<u32>,
    /// What this engine may miss.
    may_miss: f64,
    /// Ports of the scan that fall to this engine.
    ports: f64,
    /// Ports whose first attempt was answered or timed out.
    tried: u64,
    open: Answers,
    any: Answers,
    /// By the estimate, whatever the bounds.
    wanted: u32,
    /// The loss that it rests on.
    loss: f64,
    needed: u32,
    /// Hosts that were heard of, and the attempts they answered and left unanswered.
    up: u64,
    up_answered: u64,
    up_silent: u64,
    dead_after: u16,
}

impl Attempts {
    /// For a scan of `hosts` hosts in which `ports` ports fall to this engine.
    pub(super) fn new(config: &EngineConfig, hosts: u64, ports: f64) -> Self {
        let mut attempts = Self {
            asked: config.retries.map(|retries| u32::from(retries) + 1),
            may_miss: MAY_MISS * config.share,
            ports,
            tried: 0,
            open: Answers::default(),
            any: Answers::default(),
            wanted: 0,
            loss: 0.0,
            needed: 0,
            up: 0,
            up_answered: 0,
            up_silent: 0,
            dead_after: if hosts >= WIDE && config.retries.is_none() {
                SILENT_IN_WIDE
            } else {
                u16::MAX
            },
        };
        attempts.update();
        attempts
    }

    /// So many ports of the scan fall to this engine.
    pub(super) fn expect(&mut self, ports: f64) {
        self.ports = ports;
        self.update();
    }

    /// A port answered to that attempt, of those that count; `None` where it was one that does not.
    pub(super) fn answered(&mut self, attempt: Option<u32>, open: bool) {
        self.any.note(attempt);
        if open {
            self.open.note(attempt);
        }
        self.up_answered += 1;
    }

    /// The first attempt at a port is over.
    pub(super) fn tried(&mut self) {
        self.tried += 1;
    }

    /// A host was heard of for the first time, after it left `silent` attempts unanswered.
    pub(super) fn host_up(&mut self, silent: u16) {
        self.up += 1;
        self.up_silent += u64::from(silent);
    }

    /// A host that was heard of left an attempt unanswered.
    pub(super) fn up_but_silent(&mut self) {
        self.up_silent += 1;
    }

    /// How many attempts silence takes, as of the last [`update`](Self::update).
    pub(super) fn needed(&self) -> u32 {
        self.needed
    }

    /// Where the estimate wants more attempts than a port ever gets: the loss it rests on.
    pub(super) fn falls_short(&self) -> Option<f64> {
        (self.asked.is_none() && self.wanted > MOST).then_some(self.loss)
    }

    /// The pace is another from now on: what was lost before says nothing of what will be.
    pub(super) fn forget_loss(&mut self) {
        for answers in [&mut self.open, &mut self.any] {
            (answers.answered, answers.lost) = (0, 0);
        }
        self.update();
    }

    /// How many attempts in a row a host leaves unanswered before it is taken for dead: so many that
    /// a host like those that did answer would hardly be silent that long. From then on its ports
    /// are asked once each. [`u16::MAX`]: there is nothing to compare with.
    pub(super) fn dead_after(&self) -> u16 {
        self.dead_after
    }

    /// The least n with `ports like these * loss^n < may_miss`.
    fn wanted(&self, answers: Answers, loss: f64) -> u32 {
        // One more than was seen: the next one may be the first.
        let ports = (answers.ports + 1) as f64 * (self.ports / self.tried.max(1) as f64).max(1.0);
        (((self.may_miss / ports).ln() / loss.ln()).floor() + 1.0) as u32
    }

    /// Estimates anew. Open ports are what a scan is for; closed ones that stay silent would be taken
    /// for filtered.
    pub(super) fn update(&mut self) {
        let open = if self.open.answered >= ENOUGH_OPEN { self.open } else { self.any }.loss();
        let estimates = [(self.any, self.any.loss()), (self.open, open)];
        let wanted = estimates.map(|(answers, loss)| (self.wanted(answers, loss), loss));
        (self.wanted, self.loss) = if wanted[0].0 >= wanted[1].0 { wanted[0] } else { wanted[1] };
        self.needed = self.asked.unwrap_or(self.wanted.clamp(LEAST, MOST));
        if self.asked.is_none() && self.up >= ENOUGH_HOSTS {
            let answers = self.up_answered as f64;
            let share = answers / (answers + self.up_silent as f64);
            let silent = (MAY_MISJUDGE.ln() / (1.0 - share).max(1e-9).ln()).ceil();
            self.dead_after = (silent.min(f64::from(u16::MAX)) as u16).max(LEAST_SILENT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(ports: u32, tried: u32, open: u32, closed: u32, loss: f64) -> Attempts {
        let mut attempts = Attempts::new(&EngineConfig::default(), 1, f64::from(ports));
        for (count, is_open) in [(open, true), (closed, false)] {
            for number in 0..count {
                // Every so many ports one is answered only at the second attempt.
                let lost = f64::from(number) * loss / (1.0 - loss);
                let next = f64::from(number + 1) * loss / (1.0 - loss);
                let attempt = 1 + (next.floor() - lost.floor()) as u32;
                attempts.answered(Some(attempt), is_open);
            }
        }
        (0..tried).for_each(|_| attempts.tried());
        attempts.update();
        attempts
    }

    #[test]
    fn more_loss_and_more_open_ports_take_more_attempts() {
        let needed = |open, loss| attempts(65_535, 65_535, open, 1_000, loss).needed();
        assert_eq!(needed(0, 0.0), 2);
        assert_eq!(needed(200, 0.0), 3);
        // (1 - 0.95^2), 201 open: 201 * 0.0975^n < 0.001.
        assert_eq!(needed(200, 0.0975), 6);
        assert_eq!(needed(200, 0.19), 9);
        assert_eq!(needed(200, 0.9), MOST);
    }

    #[test]
    fn what_was_not_asked_yet_is_extrapolated() {
        let early = attempts(65_535, 655, 2, 0, 0.0).needed();
        let late = attempts(65_535, 65_535, 2, 0, 0.0).needed();
        assert!(early > late, "{early} {late}");
    }

    #[test]
    fn closed_ports_that_are_limited_are_asked_more_often() {
        let mut limited = attempts(1_000, 1_000, 60, 0, 0.0);
        (0..500).for_each(|_| limited.answered(Some(5), false));
        limited.update();
        assert_eq!(limited.wanted(limited.open, limited.open.loss()), 3);
        assert_eq!(limited.needed(), MOST, "the closed ones want more");
    }

    #[test]
    fn retries_say_stop() {
        for (retries, needed) in [(0, 1), (1, 2), (5, 6)] {
            let config = EngineConfig { retries: Some(retries), ..EngineConfig::default() };
            let mut attempts = Attempts::new(&config, 1, 1e9);
            attempts.answered(Some(9), true);
            attempts.update();
            assert_eq!(attempts.needed(), needed);
        }
    }

    #[test]
    fn a_slower_pace_is_judged_by_its_own_loss() {
        let mut attempts = attempts(1_000, 1_000, 14, 0, 0.9);
        assert_eq!(attempts.needed(), MOST);
        assert!(attempts.falls_short().is_some_and(|loss| (0.7..0.9).contains(&loss)));
        attempts.forget_loss();
        assert_eq!((attempts.needed(), attempts.falls_short()), (3, None));
        // An answer to an attempt of before is a port found, and no evidence.
        attempts.answered(None, true);
        attempts.update();
        assert_eq!((attempts.open.ports, attempts.open.answered), (15, 0));
    }

    #[test]
    fn a_host_is_dead_only_by_comparison() {
        let mut attempts = Attempts::new(&EngineConfig::default(), 100, 1e6);
        attempts.update();
        assert_eq!(attempts.dead_after(), u16::MAX);
        for _ in 0..ENOUGH_HOSTS {
            attempts.host_up(0);
            (0..10).for_each(|_| attempts.answered(Some(1), false));
        }
        attempts.update();
        assert_eq!(attempts.dead_after(), LEAST_SILENT);
        // Hosts behind filters, which answer one attempt of 100.
        (0..8_000).for_each(|_| attempts.up_but_silent());
        attempts.update();
        assert!((600..800).contains(&attempts.dead_after()), "{}", attempts.dead_after());
    }
}
