//! The result of one group: its table, its bars, and how it compares with an earlier one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::bar::{Bar, Judgement};
use super::contender::{Contender, LineUp, Side};
use super::summary::{Run, Series, median};

/// What was measured in one group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) group: String,
    /// When, in seconds since 1970.
    unix_time: u64,
    /// What was scanned.
    scene: String,
    /// Less of everything; its numbers are worth little.
    quick: bool,
    /// How many ports the bench held open.
    open: usize,
    /// How often a contender ran at most.
    rounds: u32,
    /// The row that all others are divided by.
    reference: String,
    /// The row of ours that stands for us beside the peers.
    champion: String,
    /// Whether our scanner must find every open port in every run.
    exact: bool,
    /// Who did not take part, and why.
    absent: Vec<String>,
    pub(super) rows: Vec<Row>,
    judgements: Vec<Judgement>,
}

/// One contender.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    ours: bool,
    command: String,
    version: Option<String>,
    median_ms: Option<f64>,
    min_ms: Option<f64>,
    pub(super) max_ms: Option<f64>,
    /// The highest of all runs.
    pub(super) peak_rss_kib: Option<u64>,
    /// The fewest of the open ports that a run found.
    pub(super) found_open: Option<usize>,
    /// Over all runs.
    pub(super) false_opens: usize,
    /// The median of the packets that arrived.
    packets: Option<f64>,
    /// The median of the ports asked per second of sending.
    asked_per_s: Option<f64>,
    /// Its wall time by the reference's.
    to_reference: Option<f64>,
    /// The wall time of each row of ours by its own.
    pub(super) ours_to_it: BTreeMap<String, f64>,
    /// The rate of each row of ours by its own.
    pub(super) our_rate_to_its: BTreeMap<String, f64>,
    pub(super) runs: Vec<Run>,
    pub(super) failures: Vec<String>,
}

/// What a report is about.
pub(super) struct Setting {
    pub(super) group: String,
    pub(super) unix_time: u64,
    pub(super) scene: String,
    pub(super) quick: bool,
    pub(super) open: usize,
    pub(super) rounds: u32,
    pub(super) reference: &'static str,
    pub(super) champion: &'static str,
    pub(super) exact: bool,
}

impl Report {
    /// Sums up the series, one for each contender that was present.
    pub(super) fn new(setting: Setting, line_up: LineUp, series: &[Series], bars: &[Bar]) -> Self {
        let all: Vec<_> = line_up.present.iter().zip(series).collect();
        let reference = all.iter().find(|(contender, _)| contender.name == setting.reference);
        let rows: Vec<Row> = all
            .iter()
            .map(|(contender, series)| {
                Row::new(contender, series, reference.map(|(_, series)| *series), &all)
            })
            .collect();
        let judgements =
            bars.iter().map(|bar| bar.judge(&rows, setting.open, setting.quick)).collect();
        Self {
            group: setting.group,
            unix_time: setting.unix_time,
            scene: setting.scene,
            quick: setting.quick,
            open: setting.open,
            rounds: setting.rounds,
            reference: setting.reference.into(),
            champion: setting.champion.into(),
            exact: setting.exact,
            absent: line_up.absent,
            rows,
            judgements,
        }
    }

    /// Whether a run failed, or our scanner invented a port, or it missed one where nothing was
    /// lost on the way: a fast wrong answer is no result.
    pub(super) fn failed(&self) -> bool {
        let incomplete = |row: &Row| self.exact && row.found_open != Some(self.open);
        self.rows.iter().any(|row| {
            !row.failures.is_empty() || (row.ours && (row.false_opens > 0 || incomplete(row)))
        })
    }

    /// The rows, every failure, and the bars.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{}: {}, {} rounds; ref: {}, ours: {}\n{:<14} {:>4} {:>8} {:>8} {:>8} {:>7} {:>11} \
             {:>5} {:>8} {:>9} {:>7} {:>8}\n",
            self.group,
            self.scene,
            self.rounds,
            self.reference,
            self.champion,
            "",
            "runs",
            "median s",
            "min s",
            "max s",
            "RSS MiB",
            "open",
            "false",
            "packets",
            "asked/s",
            "to ref",
            "ours/it",
        );
        for row in &self.rows {
            row.write(self.open, &self.champion, &mut text);
        }
        // Writing to a string cannot fail.
        for absence in &self.absent {
            let _ = writeln!(text, "not measured: {absence}");
        }
        for row in &self.rows {
            for failure in &row.failures {
                let _ = writeln!(text, "failed: {}: {failure}", row.name);
            }
        }
        for judgement in &self.judgements {
            let _ = writeln!(text, "{judgement}");
        }
        text
    }

    /// What changed since an earlier result. Ratios to the reference are compared, not times: the
    /// machine may have been another.
    pub(super) fn comparison(&self, before: &Self) -> String {
        if (&self.scene, &self.reference) != (&before.scene, &before.reference) {
            return format!(
                "{}: not compared, it was another scene: {}\n",
                self.group, before.scene
            );
        }
        let mut text = format!("{}: times {}:\n", self.group, self.reference);
        for row in self.rows.iter().filter(|row| row.name != self.reference) {
            let earlier = before.rows.iter().find(|earlier| earlier.name == row.name);
            let earlier = earlier.and_then(|row| row.to_reference);
            if let (Some(now), Some(before)) = (row.to_reference, earlier) {
                let change = (now / before - 1.0) * 100.0;
                let _ = writeln!(text, "{:<14} {before:.2} -> {now:.2} ({change:+.1} %)", row.name);
            } else {
                let _ = writeln!(text, "{:<14} not measured in both", row.name);
            }
        }
        text
    }
}

impl Row {
    fn new(
        contender: &Contender,
        series: &Series,
        reference: Option<&Series>,
        all: &[(&Contender, &Series)],
    ) -> Self {
        let walls = series.runs().map(|run| run.wall_ms);
        let ours = || all.iter().filter(|(other, _)| other.side == Side::Ours);
        let by_ours = |ratio: &dyn Fn(&Series) -> Option<f64>| {
            ours().filter_map(|(ours, of_ours)| Some((ours.name.into(), ratio(of_ours)?))).collect()
        };
        Self {
            name: contender.name.into(),
            ours: contender.side == Side::Ours,
            command: contender.command_line(),
            version: contender.version(),
            median_ms: median(walls.clone()),
            min_ms: walls.clone().reduce(f64::min),
            max_ms: walls.reduce(f64::max),
            peak_rss_kib: series.runs().filter_map(|run| run.peak_rss_kib).max(),
            found_open: series.runs().map(|run| run.found_open).min(),
            false_opens: series.runs().map(|run| run.false_opens.len()).sum(),
            packets: median(series.runs().filter_map(|run| Some(run.packets? as f64))),
            asked_per_s: median(series.runs().filter_map(|run| run.asked_per_s)),
            to_reference: reference.and_then(|reference| series.ratio_to(reference)),
            ours_to_it: by_ours(&|ours| ours.ratio_to(series)),
            our_rate_to_its: by_ours(&|ours| ours.ratio_of(series, |run| run.asked_per_s)),
            runs: series.runs().cloned().collect(),
            failures: series.failures().cloned().collect(),
        }
    }

    fn write(&self, open: usize, champion: &str, text: &mut String) {
        let seconds = |ms: Option<f64>| cell(ms.map(|ms| format!("{:.3}", ms / 1e3)));
        let whole = |value: Option<f64>| cell(value.map(|value| format!("{value:.0}")));
        let ratio = |ratio: Option<f64>| cell(ratio.map(|ratio| format!("{ratio:.2}")));
        let ours = self.ours_to_it.get(champion).filter(|_| self.name != champion).copied();
        let _ = writeln!(
            text,
            "{:<14} {:>4} {:>8} {:>8} {:>8} {:>7} {:>11} {:>5} {:>8} {:>9} {:>7} {:>8}",
            self.name,
            self.runs.len(),
            seconds(self.median_ms),
            seconds(self.min_ms),
            seconds(self.max_ms),
            cell(self.peak_rss_kib.map(|kib| format!("{:.1}", kib as f64 / 1024.0))),
            cell(self.found_open.map(|found| format!("{found}/{open}"))),
            self.false_opens,
            whole(self.packets),
            whole(self.asked_per_s),
            ratio(self.to_reference),
            ratio(ours),
        );
    }
}

/// A dash where nothing was measured.
fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".into())
}

#[cfg(test)]
mod tests;
