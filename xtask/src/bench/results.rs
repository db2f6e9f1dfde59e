//! The file of results: one report for each group, the machine they are from, and the comparison
//! with an earlier file.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::group::Group;
use super::report::Report;

/// The reports of one run, and on what machine.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    /// How many cores the machine offers.
    cores: usize,
    /// The kernel's release, where known.
    kernel: Option<String>,
    /// How peak memory was found.
    memory: String,
    /// Groups that were not measured, and why.
    not_measured: Vec<String>,
    pub(super) groups: Vec<Report>,
}

impl Results {
    /// None yet.
    pub(super) fn new(memory: &str) -> Self {
        Self {
            cores: available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .ok()
                .map(|release| release.trim().to_owned()),
            memory: memory.into(),
            not_measured: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Says that a group was not measured, and why.
    pub(super) fn leave_out(&mut self, group: Group, reason: &str) {
        println!("\n{}: not measured: {reason}", group.name());
        self.not_measured.push(format!("{}: {reason}", group.name()));
    }

    /// Whether a run failed or our scanner's answer was wrong.
    pub(super) fn failed(&self) -> bool {
        self.groups.iter().any(Report::failed)
    }

    /// Each group that is in both, beside what it was; empty where none is.
    pub(super) fn comparison(&self, before: &Self) -> String {
        let mut text = String::new();
        for group in &self.groups {
            if let Some(earlier) = before.groups.iter().find(|other| other.group == group.group) {
                // Writing to a string cannot fail.
                let _ = write!(text, "{}", group.comparison(earlier));
            }
        }
        text
    }

    /// With the groups of an earlier file that were not measured again.
    pub(super) fn over(mut self, before: Option<Self>) -> Self {
        let kept = before.into_iter().flat_map(|before| before.groups);
        let kept = kept.filter(|old| self.groups.iter().all(|new| new.group != old.group));
        let kept: Vec<_> = kept.collect();
        self.groups.extend(kept);
        self
    }

    /// Writes it as JSON.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The last result, where there is one that this version can read.
pub(super) fn read_last(path: &Path) -> Result<Option<Results>> {
    if !path.exists() {
        return Ok(None);
    }
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let results = serde_json::from_str(&text).ok();
    if results.is_none() {
        println!("{} is of another version of this bench: not compared", path.display());
    }
    Ok(results)
}

/// A result to compare with.
///
/// # Errors
///
/// Where it cannot be read, or is no result.
pub(super) fn read(path: &Path) -> Result<Results> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the baseline {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not a result of this bench", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_must_be_readable_and_the_last_need_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("latest.json");
        assert!(read_last(&path).unwrap().is_none() && read(&path).is_err());
        fs::write(&path, "{\"rows\":[]}").unwrap();
        assert!(read_last(&path).unwrap().is_none() && read(&path).is_err());
        Results::new("none").write(&path).unwrap();
        assert!(read_last(&path).unwrap().is_some() && read(&path).is_ok());
    }
}
