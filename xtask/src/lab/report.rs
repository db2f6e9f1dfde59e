//! The table and the JSON of a lab.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::round::Round;
use super::scenario::{Case, Need};

/// What was tried, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// When, in seconds since 1970.
    unix_time: u64,
    /// Of the scanner.
    version: String,
    kernel: Option<String>,
    rows: Vec<Row>,
}

/// One case, all its runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    case: String,
    /// Options the scanner lacks; then there are no runs.
    lacking: Vec<String>,
    rounds: Vec<Round>,
    /// Runs that came to no result, and why.
    failures: Vec<String>,
}

impl Row {
    pub(super) const HEAD: &str =
        "case                     found/true  false  other wrong     sent    time s  verdict";

    pub(super) fn new(case: &Case, rounds: Vec<Result<Round, String>>) -> Self {
        let mut row = Self { case: case.name(), lacking: vec![], rounds: vec![], failures: vec![] };
        for round in rounds {
            match round {
                Ok(round) => row.rounds.push(round),
                Err(failure) => row.failures.push(failure),
            }
        }
        row
    }

    pub(super) fn not_run(case: &Case, lacking: &[Need]) -> Self {
        let lacking = lacking.iter().map(|need| need.option.to_owned()).collect();
        Self { case: case.name(), lacking, rounds: vec![], failures: vec![] }
    }

    fn ran(&self) -> bool {
        !self.rounds.is_empty() || !self.failures.is_empty()
    }

    fn failed(&self) -> bool {
        !self.failures.is_empty() || self.problems().next().is_some()
    }

    fn problems(&self) -> impl Iterator<Item = String> {
        self.rounds.iter().flat_map(|round| {
            round.judgement.problems.iter().map(|text| format!("seed {}: {text}", round.seed))
        })
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let drops = |round: &Round| {
            let (kernel, device) = (round.kernel_drops, round.device_drops);
            (kernel + device > 0).then(|| {
                format!("dropped: {kernel} answers by the kernel, {device} probes by the device")
            })
        };
        self.rounds.iter().flat_map(move |round| {
            drops(round).into_iter().chain(round.judgement.mistakes.iter().cloned())
        })
    }
}

/// The worst of the runs in each column, and below it what is wrong.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.ran() {
            return write!(
                f,
                "{:<24} not run: `ports scan` lacks {}",
                self.case,
                self.lacking.join(", ")
            );
        }
        let most = |number: fn(&Round) -> u64| self.rounds.iter().map(number).max().unwrap_or(0);
        let worst = self.rounds.iter().min_by_key(|round| round.judgement.found);
        let found = worst.map_or("-".to_owned(), |round| {
            format!("{}/{}", round.judgement.found, round.judgement.open)
        });
        write!(
            f,
            "{:<24} {found:>10} {:>6} {:>12} {:>8} {:>9.2}  {}",
            self.case,
            most(|round| round.judgement.false_opens),
            most(|round| round.judgement.mistaken),
            most(|round| round.sent),
            most(|round| round.elapsed_ms) as f64 / 1e3,
            if self.failed() { "FAILED" } else { "ok" },
        )?;
        for problem in self.problems().chain(self.failures.iter().cloned()) {
            write!(f, "\n    failed: {problem}")?;
        }
        for note in self.notes() {
            write!(f, "\n    {note}")?;
        }
        Ok(())
    }
}

impl Report {
    pub(super) fn new(unix_time: u64, version: String, rows: Vec<Row>) -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let kernel = kernel.map(|release| release.trim().to_owned());
        Self { unix_time, version, kernel, rows }
    }

    /// Whether there is something, all of it ran, and nothing failed.
    pub(super) fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.ran() && !row.failed())
    }

    /// One line: how many passed, failed, did not run.
    pub(super) fn conclusion(&self) -> String {
        let count = |is: fn(&Row) -> bool| self.rows.iter().filter(|row| is(row)).count();
        let (ran, failed) = (count(Row::ran), count(Row::failed));
        let (passed, not_run) = (ran - failed, self.rows.len() - ran);
        let nothing = if ran == 0 { ": nothing was tested" } else { "" };
        format!("lab: {passed} cases passed, {failed} failed, {not_run} not run{nothing}")
    }
}

#[cfg(test)]
mod tests;
