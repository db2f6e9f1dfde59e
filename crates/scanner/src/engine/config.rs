//! What an engine may do.

use std::time::Duration;

/// The bounds of one engine. The defaults are the associated constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineConfig {
    /// Most probes in flight at once.
    pub max_in_flight: usize,
    /// The wait for an answer before the round-trip time is known, and the longest one after.
    pub timeout: Duration,
    /// How much longer than the round-trip time to wait at least, however steady it is.
    pub min_timeout: Duration,
    /// How often an unanswered probe is repeated. `None`: until the open ports that this scan misses are
    /// fewer than 0.001 by an estimate from those that answered, at most 11 times.
    pub retries: Option<u16>,
    /// Whether an answer to an attempt that has timed out still arrives. Where it does, an estimate of
    /// the round-trip time that is too low corrects itself; where it is lost with its socket, each
    /// further attempt has to wait twice as long.
    pub late_answers: bool,
    /// Most probes per second of the whole scan; `None` for no ceiling.
    pub rate: Option<u32>,
    /// This engine's share of the scan's pace, from [`MIN_SHARE`](Self::MIN_SHARE) to 1; what is no
    /// share, 0 among them, counts as 1.
    pub share: f64,
}

impl EngineConfig {
    /// Below the second after which the kernel repeats a SYN by itself (RFC 6298 section 2.1).
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(900);
    /// The longest wait that can be asked for.
    pub const MAX_TIMEOUT: Duration = Duration::from_hours(1);
    /// The smallest share of the pace: at the slowest pace one probe in eleven days.
    pub const MIN_SHARE: f64 = 1e-6;
    /// Longer than a busy machine keeps a ready process waiting.
    pub const DEFAULT_MIN_TIMEOUT: Duration = Duration::from_millis(100);
    /// As many as the receive queues of a plain host take.
    pub const DEFAULT_MAX_IN_FLIGHT: usize = 8_192;
}

impl EngineConfig {
    /// The same with every value in its range.
    pub(super) fn bounded(self) -> Self {
        Self {
            max_in_flight: self.max_in_flight.max(1),
            timeout: self.timeout.min(Self::MAX_TIMEOUT),
            min_timeout: self.min_timeout.min(Self::MAX_TIMEOUT),
            share: if self.share > 0.0 { self.share.clamp(Self::MIN_SHARE, 1.0) } else { 1.0 },
            ..self
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_in_flight: Self::DEFAULT_MAX_IN_FLIGHT,
            timeout: Self::DEFAULT_TIMEOUT,
            min_timeout: Self::DEFAULT_MIN_TIMEOUT,
            retries: None,
            late_answers: false,
            rate: None,
            share: 1.0,
        }
    }
}
