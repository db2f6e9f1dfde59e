//! Round-trip time per host and group, and the timeout that follows from it.

use std::time::Duration;

/// The estimator of RFC 6298 section 2, in microseconds, small enough to have one for each host of a
/// group. The RFC's one-second floor and its doubling are left out: they keep TCP from harming the
/// network, and a probe that is repeated early costs one packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RttEstimator {
    smoothed: u32,
    variance: u32,
    known: bool,
}

impl RttEstimator {
    /// One more sample: the first as in (2.2), later ones as in (2.3) with alpha 1/8 and beta 1/4.
    pub(super) fn sample(&mut self, sample: Duration) {
        let sample = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX);
        if !self.known {
            *self = Self { smoothed: sample, variance: sample / 2, known: true };
            return;
        }
        let weigh = |old: u32, new: u32, parts: u64| {
            // A weighted mean of two numbers is not above the larger one.
            ((u64::from(old) * (parts - 1) + u64::from(new)) / parts) as u32
        };
        self.variance = weigh(self.variance, self.smoothed.abs_diff(sample), 4);
        self.smoothed = weigh(self.smoothed, sample, 8);
    }

    /// SRTT + max(G, 4 RTTVAR), as in (2.3), with a `margin` much larger than any clock's G: a host
    /// or a path that grows slower must not lose its answers. `None` before the first sample.
    pub(super) fn timeout(&self, margin: Duration) -> Option<Duration> {
        let micros = |count: u32| Duration::from_micros(u64::from(count));
        self.known.then(|| micros(self.smoothed) + margin.max(micros(self.variance) * 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn first_sample_gives_three_times_itself() {
        let mut rtt = RttEstimator::default();
        assert_eq!(rtt.timeout(MS), None);
        rtt.sample(100 * MS);
        assert_eq!(rtt.timeout(MS), Some(300 * MS));
    }

    #[test]
    fn steady_samples_leave_the_margin() {
        let mut rtt = RttEstimator::default();
        for _ in 0..100 {
            rtt.sample(10 * MS);
        }
        let timeout = rtt.timeout(50 * MS).unwrap();
        assert!((60 * MS..61 * MS).contains(&timeout), "{timeout:?}");
    }

    #[test]
    fn an_endless_sample_overflows_nothing() {
        let mut rtt = RttEstimator::default();
        for _ in 0..3 {
            rtt.sample(Duration::MAX);
        }
        assert!(rtt.timeout(MS).unwrap() > Duration::from_hours(1));
    }
}
