//! The result of a bench: its table, its JSON, and how it compares with an earlier one.

use std::fmt::Write as _;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use super::contender::{BARE, Contender, Contenders, OURS};
use super::listeners::Listeners;
use super::measure::Meter;
use super::plan::Plan;
use super::summary::{Run, Series, median};

/// What was measured, and on what.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// When, in seconds since 1970.
    unix_time: u64,
    /// The ports scanned.
    ports: String,
    /// How many of them the bench held open.
    open: usize,
    /// How often each contender ran.
    rounds: u32,
    /// How many cores the machine offers.
    cores: usize,
    /// The kernel's release, where known.
    kernel: Option<String>,
    /// How peak memory was found.
    memory: String,
    /// Who did not take part, and why.
    absent: Vec<String>,
    rows: Vec<Row>,
}

/// One contender.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    name: String,
    command: String,
    version: Option<String>,
    median_ms: Option<f64>,
    min_ms: Option<f64>,
    max_ms: Option<f64>,
    /// The highest of all runs.
    peak_rss_kib: Option<u64>,
    /// The fewest of the open ports that a run found.
    found_open: Option<usize>,
    /// Over all runs.
    false_opens: usize,
    /// Its wall time by the bare loop's.
    to_bare: Option<f64>,
    /// Our scanner's wall time by its own.
    ours_to_it: Option<f64>,
    runs: Vec<Run>,
    failures: Vec<String>,
}

impl Report {
    /// Sums up the series, one for each contender that was present.
    pub(super) fn new(
        unix_time: u64,
        plan: &Plan,
        listeners: &Listeners,
        meter: &Meter,
        contenders: Contenders,
        series: &[Series],
    ) -> Self {
        let named = |name: &str| {
            let index = contenders.present.iter().position(|contender| contender.name == name)?;
            series.get(index)
        };
        let (ours, bare) = (named(OURS), named(BARE));
        let rows = contenders
            .present
            .iter()
            .zip(series)
            .map(|(contender, series)| Row::new(contender, series, ours, bare))
            .collect();
        Self {
            unix_time,
            ports: plan.ports.to_string(),
            open: listeners.ports().len(),
            rounds: plan.rounds,
            cores: available_parallelism().map_or(1, usize::from),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .ok()
                .map(|release| release.trim().to_owned()),
            memory: meter.memory_method().into(),
            absent: contenders.absent,
            rows,
        }
    }

    /// Whether a run of any contender failed, or our scanner's answer was wrong: a fast wrong
    /// answer is no result.
    pub(super) fn failed(&self) -> bool {
        let wrong = |row: &Row| row.found_open != Some(self.open) || row.false_opens > 0;
        self.rows.iter().any(|row| !row.failures.is_empty() || (row.name == OURS && wrong(row)))
    }

    /// The rows, what the columns mean, and every failure.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<10} {:>9} {:>9} {:>9} {:>9} {:>7} {:>6} {:>8} {:>9}\n",
            "", "median s", "min s", "max s", "RSS MiB", "open", "false", "to bare", "ports/it"
        );
        for row in &self.rows {
            row.write(self.open, &mut text);
        }
        text.push_str(
            "open: the fewest a run found; false: all runs together; RSS: the highest run.\n\
             to bare, ports/it: medians of the ratios round by round; below 1 is faster.\n",
        );
        for row in &self.rows {
            for failure in &row.failures {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "failed: {}: {failure}", row.name);
            }
        }
        text
    }

    /// What changed since an earlier result. Ratios to the bare loop are compared, not times: the
    /// machine may have been another.
    pub(super) fn comparison(&self, baseline: &Self, name: &str) -> String {
        if (&self.ports, self.open) != (&baseline.ports, baseline.open) {
            return format!(
                "not compared with {name}: it scanned {} with {} open\n",
                baseline.ports, baseline.open
            );
        }
        let mut text = format!("compared with {name}, times the bare loop:\n");
        for row in &self.rows {
            let before = baseline.rows.iter().find(|before| before.name == row.name);
            if row.name == BARE {
                continue;
            }
            if let (Some(now), Some(before)) = (row.to_bare, before.and_then(|row| row.to_bare)) {
                let change = (now / before - 1.0) * 100.0;
                let _ = writeln!(text, "{:<10} {before:.2} -> {now:.2} ({change:+.1} %)", row.name);
            } else {
                let _ = writeln!(text, "{:<10} not measured in both", row.name);
            }
        }
        text
    }
}

impl Row {
    fn new(
        contender: &Contender,
        series: &Series,
        ours: Option<&Series>,
        bare: Option<&Series>,
    ) -> Self {
        let walls = series.runs().map(|run| run.wall_ms);
        Self {
            name: contender.name.into(),
            command: contender.command_line(),
            version: contender.version(),
            median_ms: median(walls.clone()),
            min_ms: walls.clone().reduce(f64::min),
            max_ms: walls.reduce(f64::max),
            peak_rss_kib: series.runs().filter_map(|run| run.peak_rss_kib).max(),
            found_open: series.runs().map(|run| run.found_open).min(),
            false_opens: series.runs().map(|run| run.false_opens.len()).sum(),
            to_bare: bare.and_then(|bare| series.ratio_to(bare)),
            ours_to_it: ours.and_then(|ours| ours.ratio_to(series)),
            runs: series.runs().cloned().collect(),
            failures: series.failures().cloned().collect(),
        }
    }

    fn write(&self, open: usize, text: &mut String) {
        let seconds = |ms: Option<f64>| cell(ms.map(|ms| format!("{:.3}", ms / 1e3)));
        let ratio = |ratio: Option<f64>| cell(ratio.map(|ratio| format!("{ratio:.2}")));
        let _ = writeln!(
            text,
            "{:<10} {:>9} {:>9} {:>9} {:>9} {:>7} {:>6} {:>8} {:>9}",
            self.name,
            seconds(self.median_ms),
            seconds(self.min_ms),
            seconds(self.max_ms),
            cell(self.peak_rss_kib.map(|kib| format!("{:.1}", kib as f64 / 1024.0))),
            cell(self.found_open.map(|found| format!("{found}/{open}"))),
            self.false_opens,
            ratio(self.to_bare),
            ratio(self.ours_to_it),
        );
    }
}

/// A dash where nothing was measured.
fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".into())
}

#[cfg(test)]
mod tests;
