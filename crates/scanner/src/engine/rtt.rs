//! Round-trip time per host, and the timeout that follows from it.

use std::time::Duration;

/// The estimator of RFC 6298 section 2. Its one-second floor and its doubling are left out: they keep
/// TCP from harming the network, and a probe that is repeated early costs one packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct RttEstimator {
    smoothed: Duration,
    variance: Duration,
}

impl RttEstimator {
    /// The state after the first sample (2.2).
    pub(super) fn new(sample: Duration) -> Self {
        Self { smoothed: sample, variance: sample / 2 }
    }

    /// One more sample (2.3): alpha 1/8, beta 1/4.
    pub(super) fn sample(&mut self, sample: Duration) {
        self.variance = (self.variance * 3 + self.smoothed.abs_diff(sample)) / 4;
        self.smoothed = (self.smoothed * 7 + sample) / 8;
    }

    /// SRTT + max(G, 4 RTTVAR), as in (2.3), with a `margin` much larger than any clock's G: a host
    /// or a path that grows slower must not lose its answers, and a timeout brings no sample.
    pub(super) fn timeout(&self, margin: Duration) -> Duration {
        self.smoothed + margin.max(self.variance * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn first_sample_gives_three_times_itself() {
        let rtt = RttEstimator::new(100 * MS);
        assert_eq!(rtt.timeout(MS), 300 * MS);
    }

    #[test]
    fn steady_samples_leave_the_margin() {
        let mut rtt = RttEstimator::new(10 * MS);
        for _ in 0..100 {
            rtt.sample(10 * MS);
        }
        let timeout = rtt.timeout(50 * MS);
        assert!((60 * MS..61 * MS).contains(&timeout), "{timeout:?}");
    }
}
