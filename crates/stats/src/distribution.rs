//! How long things took: a histogram of durations as a value.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::counters::Shrunk;

/// Upper bounds of the buckets that are exported: 1-3-10 steps from 10 us, a loopback connect, to
/// 10,000 s, a connection that stays for hours.
#[expect(clippy::duration_suboptimal_units, reason = "5 minutes is no step of 1, 3, 10")]
pub(crate) const BOUNDS: [Duration; 19] = [
    Duration::from_micros(10),
    Duration::from_micros(30),
    Duration::from_micros(100),
    Duration::from_micros(300),
    Duration::from_millis(1),
    Duration::from_millis(3),
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(100),
    Duration::from_secs(300),
    Duration::from_secs(1_000),
    Duration::from_secs(3_000),
    Duration::from_secs(10_000),
];

/// A distribution of durations: how many, their sum, and quantiles that are at most 1 % too high.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    pub(crate) count: u64,
    pub(crate) sum: Duration,
    pub(crate) max: Duration,
    /// How many fell between one of [`BOUNDS`] and the one before.
    pub(crate) within: Vec<u64>,
    /// Nanoseconds (the upper edge of a histogram step) and how many, ascending.
    pub(crate) recorded: Vec<(u64, u64)>,
}

impl Distribution {
    /// How many durations were recorded.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all.
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// The longest. Exact, but at most 1 % too high in a delta.
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The median; zero where nothing was recorded.
    pub fn p50(&self) -> Duration {
        self.percentile(50)
    }

    /// Nine of ten took at most this long.
    pub fn p90(&self) -> Duration {
        self.percentile(90)
    }

    /// 99 of 100 took at most this long.
    pub fn p99(&self) -> Duration {
        self.percentile(99)
    }

    /// The shortest duration that `percent` of 100 did not exceed; zero where nothing was recorded.
    /// Above 100 counts as 100.
    pub fn percentile(&self, percent: u8) -> Duration {
        let rank = (u128::from(self.count) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        for (nanoseconds, count) in &self.recorded {
            seen += u128::from(*count);
            if seen >= rank {
                return Duration::from_nanos(*nanoseconds).min(self.max);
            }
        }
        self.max
    }

    /// Upper bounds, and how many durations fell between each and the one before; what is left to
    /// [`count`](Distribution::count) exceeded the last bound. Exact.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        BOUNDS.into_iter().zip(self.within.iter().copied().chain(std::iter::repeat(0)))
    }

    /// What was added since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Result<Self, Shrunk> {
        let less = |name, now: u64, before: u64| now.checked_sub(before).ok_or((name, before, now));
        let mut before: BTreeMap<u64, u64> = earlier.recorded.iter().copied().collect();
        let mut recorded = Vec::with_capacity(self.recorded.len());
        for (nanoseconds, count) in &self.recorded {
            let earlier = before.remove(nanoseconds).unwrap_or(0);
            match less("durations", *count, earlier)? {
                0 => {}
                added => recorded.push((*nanoseconds, added)),
            }
        }
        let max = recorded
            .last()
            .map_or(Duration::ZERO, |(longest, _)| Duration::from_nanos(*longest).min(self.max));
        let within = self
            .buckets()
            .zip(earlier.buckets())
            .map(|((_, now), (_, before))| less("durations", now, before))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            count: less("durations", self.count, earlier.count)?,
            sum: self.sum.checked_sub(earlier.sum).ok_or((
                "seconds of durations",
                earlier.sum.as_secs(),
                self.sum.as_secs(),
            ))?,
            max,
            within,
            recorded,
        })
    }
}

#[cfg(test)]
mod tests;
