//! A histogram of durations that is being filled.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::distribution::{BOUNDS, Distribution};

/// Two significant digits: quantiles are at most 1 % too high, in at most 58 KB.
const SIGNIFICANT_DIGITS: u8 = 2;

/// The durations recorded so far, at nanosecond resolution.
pub(crate) struct Timing {
    histogram: Histogram<u64>,
    /// Exact counts for fixed bounds, which do not fall on the histogram's own.
    within: [u64; BOUNDS.len()],
    sum: Duration,
    max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "0 to 5 significant digits are legal")]
        let histogram = Histogram::new(SIGNIFICANT_DIGITS).expect("2 significant digits are legal");
        Self { histogram, within: [0; BOUNDS.len()], sum: Duration::ZERO, max: Duration::ZERO }
    }
}

impl Timing {
    /// Adds one duration. Past 584 years, 64 bits of nanoseconds, all are the same to the
    /// quantiles.
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // The histogram grows as needed, up to the largest 64-bit value. It refuses only where its
        // length does not fit a `usize`; the duration then counts among the longest.
        if self.histogram.record(nanoseconds).is_err() {
            self.histogram.saturating_record(nanoseconds);
        }
        if let Some(bound) = BOUNDS.iter().position(|bound| duration <= *bound) {
            self.within[bound] += 1;
        }
        self.sum = self.sum.saturating_add(duration);
        self.max = self.max.max(duration);
    }

    /// What was recorded, as a value.
    pub(crate) fn read(&self) -> Distribution {
        Distribution {
            count: self.histogram.len(),
            sum: self.sum,
            max: self.max,
            within: self.within.to_vec(),
            recorded: self
                .histogram
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
                .collect(),
        }
    }
}
