//! What a group must reach, and whether it did.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::report::Row;

/// A bar: what is asked of one row, often beside another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bar {
    /// Wall time at most this many times a peer's.
    Time { row: &'static str, peer: &'static str, at_most: f64 },
    /// Ports asked per second, at least this many times a peer's.
    Rate { row: &'static str, peer: &'static str, at_least: f64 },
    /// Peak memory in MiB, in every run.
    Memory { row: &'static str, at_most: f64 },
    /// Every open port, no other, in each of at least `runs` runs, none slower than this.
    Complete { row: &'static str, runs: usize, seconds: Option<f64> },
    /// So many of the open ports on average, in runs none of which is slower than this.
    Average { row: &'static str, at_least: f64, seconds: f64 },
    /// So many of the open ports in every run.
    Found { row: &'static str, at_least: usize },
}

/// Whether a bar was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Met,
    Missed,
    /// Why nobody can tell.
    NotJudged(String),
}

/// A bar with its measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Judgement {
    /// What was asked.
    pub(super) bar: String,
    /// What was measured.
    measured: String,
    pub(super) verdict: Verdict,
}

impl Bar {
    /// Holds the rows against it.
    pub(super) fn judge(&self, rows: &[Row], open: usize, quick: bool) -> Judgement {
        let (measured, mut verdict) = match self.measure(rows, open) {
            Ok((measured, met)) => (measured, if met { Verdict::Met } else { Verdict::Missed }),
            Err(reason) => ("-".into(), Verdict::NotJudged(reason)),
        };
        if let (Self::Complete { row, runs, .. }, Verdict::Met) = (self, &verdict) {
            let ran = named(rows, row).map_or(0, |row| row.runs.len());
            if ran < *runs {
                verdict = Verdict::NotJudged(format!("{ran} runs, the bar asks for {runs}"));
            }
        }
        if quick && !matches!(verdict, Verdict::NotJudged(_)) {
            verdict = Verdict::NotJudged("a quick run".into());
        }
        Judgement { bar: self.to_string(), measured, verdict }
    }

    /// What was measured, and whether it is enough; or why it was not measured.
    fn measure(&self, rows: &[Row], open: usize) -> Result<(String, bool), String> {
        let row = |name| {
            named(rows, name)
                .filter(|row| !row.runs.is_empty())
                .ok_or_else(|| format!("{name} was not measured"))
        };
        let unknown = |what: &str| format!("{what} was not measured");
        match *self {
            Self::Time { row: name, peer, at_most } => {
                row(name)?;
                let ratio = row(peer)?.ours_to_it.get(name).ok_or_else(|| unknown("the ratio"))?;
                Ok((format!("{ratio:.2}x"), *ratio <= at_most))
            }
            Self::Rate { row: name, peer, at_least } => {
                row(name)?;
                let ratio =
                    row(peer)?.our_rate_to_its.get(name).ok_or_else(|| unknown("the rate"))?;
                Ok((format!("{ratio:.2}x"), *ratio >= at_least))
            }
            Self::Memory { row: name, at_most } => {
                let kib = row(name)?.peak_rss_kib.ok_or_else(|| unknown("memory"))?;
                let mib = kib as f64 / 1024.0;
                Ok((format!("{mib:.1} MiB"), mib <= at_most))
            }
            Self::Complete { row: name, seconds, .. } => {
                let row = row(name)?;
                let runs = row.runs.len() + row.failures.len();
                let whole = row
                    .runs
                    .iter()
                    .filter(|run| run.found_open == open && run.false_opens.is_empty());
                let whole = whole.count();
                let slowest = row.max_ms.unwrap_or(0.0) / 1e3;
                Ok((
                    format!("{whole} of {runs} runs, slowest {slowest:.2} s"),
                    whole == runs && seconds.is_none_or(|most| slowest <= most),
                ))
            }
            Self::Average { row: name, at_least, seconds } => {
                let row = row(name)?;
                let found: usize = row.runs.iter().map(|run| run.found_open).sum();
                let mean = found as f64 / row.runs.len() as f64;
                let slowest = row.max_ms.unwrap_or(0.0) / 1e3;
                Ok((
                    format!("{mean:.2} on average, slowest {slowest:.2} s"),
                    mean >= at_least
                        && slowest <= seconds
                        && row.false_opens == 0
                        && row.failures.is_empty(),
                ))
            }
            Self::Found { row: name, at_least } => {
                let row = row(name)?;
                let fewest = row.found_open.unwrap_or(0);
                Ok((format!("{fewest}"), fewest >= at_least && row.failures.is_empty()))
            }
        }
    }
}

fn named<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.name == name)
}

/// `ports syn: time <= 0.5x nmap -sS`.
impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { row, peer, at_most } => write!(f, "{row}: time <= {at_most}x {peer}"),
            Self::Rate { row, peer, at_least } => write!(f, "{row}: rate >= {at_least}x {peer}"),
            Self::Memory { row, at_most } => write!(f, "{row}: memory <= {at_most} MiB"),
            Self::Complete { row, runs, seconds } => {
                write!(f, "{row}: all open, no false, in each of {runs} runs")?;
                seconds.map_or(Ok(()), |most| write!(f, " of <= {most} s"))
            }
            Self::Average { row, at_least, seconds } => {
                write!(f, "{row}: >= {at_least} open on average, in runs of <= {seconds} s")
            }
            Self::Found { row, at_least } => write!(f, "{row}: >= {at_least} open in every run"),
        }
    }
}

/// `bar ports syn: time <= 0.5x nmap -sS: 0.31x, met`.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bar {}: {}, ", self.bar, self.measured)?;
        match &self.verdict {
            Verdict::Met => f.write_str("met"),
            Verdict::Missed => f.write_str("MISSED"),
            Verdict::NotJudged(reason) => write!(f, "not judged ({reason})"),
        }
    }
}

#[cfg(test)]
mod tests;
