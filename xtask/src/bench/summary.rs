//! From single runs to the numbers of a row: medians, and the median of per-round ratios.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

/// One run of one contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// From start to end of the process, in milliseconds.
    pub(super) wall_ms: f64,
    /// Peak resident memory in KiB.
    pub(super) peak_rss_kib: Option<u64>,
    /// How many of the bench's own open ports it found.
    pub(super) found_open: usize,
    /// Ports it called open on which nobody listened.
    pub(super) false_opens: Vec<SocketAddrV4>,
    /// How many packets arrived, where they were counted.
    pub(super) packets: Option<u64>,
    /// How many ports were asked per second while it sent: those there were to ask, by the time
    /// from the first packet that arrived to the last. Who asks twice is slower, not faster.
    pub(super) asked_per_s: Option<f64>,
}

/// The runs of one contender, one for each round; a failed one keeps its place, and so does one
/// that was left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    rounds: Vec<Option<Result<Run, String>>>,
}

impl Series {
    /// Adds the run of the next round, or why it failed.
    pub(super) fn push(&mut self, run: Result<Run, String>) {
        self.rounds.push(Some(run));
    }

    /// Leaves the next round out.
    pub(super) fn skip(&mut self) {
        self.rounds.push(None);
    }

    /// The runs that succeeded.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> + Clone {
        self.rounds.iter().filter_map(|run| run.as_ref()?.as_ref().ok())
    }

    /// Why the others failed.
    pub(super) fn failures(&self) -> impl Iterator<Item = &String> {
        self.rounds.iter().filter_map(|run| run.as_ref()?.as_ref().err())
    }

    /// The median of the ratios of a value, round by round, over the rounds in which both
    /// succeeded: what slowed the machine in one round slowed both.
    pub(super) fn ratio_of(
        &self,
        other: &Self,
        value: impl Fn(&Run) -> Option<f64>,
    ) -> Option<f64> {
        let value = |run: &Option<Result<Run, String>>| value(run.as_ref()?.as_ref().ok()?);
        let rounds = self.rounds.iter().zip(&other.rounds);
        median(rounds.filter_map(|(this, other)| Some(value(this)? / value(other)?)))
    }

    /// The ratio of wall times.
    pub(super) fn ratio_to(&self, other: &Self) -> Option<f64> {
        self.ratio_of(other, |run| Some(run.wall_ms))
    }
}

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[values.len() / 2 - 1], upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(walls: &[Option<f64>]) -> Series {
        let run = |wall_ms| Run {
            wall_ms,
            peak_rss_kib: None,
            found_open: 12,
            false_opens: Vec::new(),
            packets: None,
            asked_per_s: None,
        };
        let mut series = Series::default();
        for wall in walls {
            series.push(wall.map(run).ok_or("failed".into()));
        }
        series
    }

    fn close(left: Option<f64>, right: f64) -> bool {
        left.is_some_and(|left| (left - right).abs() < 1e-9)
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([].into_iter()), None);
        assert!(close(median([7.0].into_iter()), 7.0));
        assert!(close(median([9.0, 1.0, 5.0].into_iter()), 5.0));
        assert!(close(median([9.0, 1.0, 5.0, 3.0].into_iter()), 4.0));
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // The ratio of the medians would be 1.0; each round says 2, 2 and 0.5.
        let this = series(&[Some(2.0), Some(20.0), Some(4.0)]);
        let other = series(&[Some(1.0), Some(10.0), Some(8.0)]);
        assert!(close(this.ratio_to(&other), 2.0));
        assert!(close(other.ratio_to(&this), 0.5));
        assert!(close(this.ratio_to(&this), 1.0));
    }

    #[test]
    fn a_failed_run_takes_its_round_out() {
        let this = series(&[Some(3.0), None, Some(3.0)]);
        let other = series(&[Some(1.0), Some(1.0), None]);
        assert!(close(this.ratio_to(&other), 3.0));
        assert_eq!(this.ratio_to(&series(&[None, None, None])), None);
        assert_eq!((this.runs().count(), this.failures().count()), (2, 1));
    }

    #[test]
    fn a_round_left_out_is_no_failure() {
        let mut this = series(&[Some(3.0)]);
        this.skip();
        assert_eq!((this.runs().count(), this.failures().count()), (1, 0));
        assert!(close(this.ratio_to(&series(&[Some(1.0), Some(2.0)])), 3.0));
    }
}
