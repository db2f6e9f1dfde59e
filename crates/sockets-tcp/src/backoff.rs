//! How long to wait before the next try to connect: exponential, with full jitter, limited.

use std::time::Duration;

/// How a client reconnects after a loss, and how it repeats a first connect that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reconnect {
    base: Duration,
    cap: Duration,
    limit: Option<u32>,
    stable_after: Duration,
    retry_permanent: bool,
    seed: Option<u64>,
}

impl Reconnect {
    /// The ceiling of the first delay, unless set: 100 ms.
    pub const DEFAULT_BASE: Duration = Duration::from_millis(100);
    /// The highest ceiling, unless set: 30 s.
    pub const DEFAULT_CAP: Duration = Duration::from_secs(30);
    /// How many tries in a row, unless set: 16. With the other defaults they take about 50 s.
    pub const DEFAULT_LIMIT: u32 = 16;
    /// How long a connection must have stood to count as a success, unless set: 1 s.
    pub const DEFAULT_STABLE_AFTER: Duration = Duration::from_secs(1);

    /// The defaults: 100 ms growing to 30 s, 16 tries in a row, a connection counts as a success
    /// after 1 s, none after a failure that is permanent, a seed of the process's own.
    pub const fn new() -> Self {
        Self {
            base: Self::DEFAULT_BASE,
            cap: Self::DEFAULT_CAP,
            limit: Some(Self::DEFAULT_LIMIT),
            stable_after: Self::DEFAULT_STABLE_AFTER,
            retry_permanent: false,
            seed: None,
        }
    }

    /// The ceiling of the first delay; see [`Backoff`] for how it grows.
    #[must_use]
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The highest ceiling.
    #[must_use]
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// How many tries in a row, after a loss or a first connect that failed, before the client
    /// gives up.
    #[must_use]
    pub const fn limit(mut self, tries: u32) -> Self {
        self.limit = Some(tries);
        self
    }

    /// Never give up, but for a failure that is permanent.
    #[must_use]
    pub const fn unlimited(mut self) -> Self {
        self.limit = None;
        self
    }

    /// How long a connection must have stood for the count of tries to begin anew. Default:
    /// [`DEFAULT_STABLE_AFTER`](Self::DEFAULT_STABLE_AFTER). With `Duration::ZERO` every connection
    /// counts as a success: a server that accepts and closes is then tried for ever.
    #[must_use]
    pub const fn stable_after(mut self, duration: Duration) -> Self {
        self.stable_after = duration;
        self
    }

    /// Whether to try again after a failure that a repetition does not mend, such as a certificate
    /// that is not trusted (see [`ConnectError::is_permanent`](crate::ConnectError::is_permanent)).
    /// Default: no, the client gives up at once.
    #[must_use]
    pub const fn retry_permanent(mut self, retry: bool) -> Self {
        self.retry_permanent = retry;
        self
    }

    /// The seed of the jitter, for a sequence of delays that can be repeated.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    pub(crate) const fn retries_permanent(&self) -> bool {
        self.retry_permanent
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self::new()
    }
}

/// One wait before one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retry {
    /// Which try in a row this is, from 1.
    pub attempt: u32,
    /// How long to wait before it.
    pub delay: Duration,
}

/// The delays between tries, as a state machine: no clock, no randomness but the seed.
///
/// Each delay is drawn evenly from `[0, min(cap, base + waited)]`, where `waited` is the sum of
/// the delays before it in this row: "full jitter", so that clients that lost one server together
/// do not come back together. The ceiling doubles at most, and grows by half on average.
///
/// It grows by what was waited and not by the number of tries, because a client that drew a few
/// short delays is still early in the outage. With a ceiling of `base * 2^n` such clients wait far
/// longer than the server was away: after an outage of 1 s most of 1,000 clients come back within
/// a second, and the last after 12 s.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: Reconnect,
    random: fastrand::Rng,
    tries: u32,
    waited: Duration,
}

impl Backoff {
    /// A back-off at its beginning.
    pub fn new(config: Reconnect) -> Self {
        let random = config.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self { config, random, tries: 0, waited: Duration::ZERO }
    }

    /// The next try, or `None` where the limit is reached.
    #[must_use]
    pub fn next_retry(&mut self) -> Option<Retry> {
        if self.config.limit.is_some_and(|limit| self.tries >= limit) {
            return None;
        }
        let ceiling = u64::try_from(self.ceiling().as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(self.random.u64(0..=ceiling));
        self.tries = self.tries.saturating_add(1);
        self.waited = self.waited.saturating_add(delay);
        Some(Retry { attempt: self.tries, delay })
    }

    /// Notes that a connection stood for `stood`: from `stable_after` on, the count begins anew.
    pub fn connection_stood(&mut self, stood: Duration) {
        if stood >= self.config.stable_after {
            self.tries = 0;
            self.waited = Duration::ZERO;
        }
    }

    /// How many tries in a row there were.
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    /// The longest the next delay may be.
    pub fn ceiling(&self) -> Duration {
        self.config.base.saturating_add(self.waited).min(self.config.cap)
    }
}

#[cfg(test)]
mod tests;
