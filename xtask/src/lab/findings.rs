//! The scanner: the release binary, what it offers, and what it found.

use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::scenario::Need;
use super::world::HERE;

/// The exit code of `timeout` for a command that took too long.
const TIMED_OUT: i32 = 124;

/// The binary that is tried.
pub(super) struct Scanner {
    program: PathBuf,
    version: String,
    help: String,
}

/// What one scan found, and how.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) rows: Vec<PortRow>,
    pub(super) summary: Summary,
    pub(super) elapsed: Duration,
    /// The exit code; none where a signal ended it.
    pub(super) exit: Option<i32>,
    /// What it wrote to standard error.
    pub(super) errors: String,
}

/// One verdict.
#[derive(Debug, Deserialize)]
pub(super) struct PortRow {
    pub(super) host: IpAddr,
    pub(super) port: u16,
    pub(super) state: String,
    pub(super) reason: String,
}

/// The scanner's own account.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) probes: u64,
    pub(super) sent: u64,
    pub(super) open: u64,
    pub(super) unfinished: u64,
    pub(super) kernel_drops: u64,
    pub(super) method: String,
}

/// A line of `--format jsonl`.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Port(PortRow),
    Summary(Summary),
    #[serde(other)]
    Other,
}

impl Scanner {
    /// The program at this path.
    pub(super) fn new(program: PathBuf) -> Result<Self> {
        let says = |arguments: &[&str]| {
            let output = Command::new(&program).args(arguments).stdin(Stdio::null()).output();
            let output = output.with_context(|| format!("cannot start {}", program.display()))?;
            ensure!(output.status.success(), "{} {}", program.display(), arguments.join(" "));
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let version = says(&["--version"])?.trim().to_owned();
        let help = says(&["scan", "--help"])?;
        Ok(Self { program, version, help })
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Whether it has an option, by its help.
    pub(super) fn offers(&self, need: Need) -> bool {
        self.help.contains(need.mark)
    }

    /// Runs it in the scanner's namespace, for as long as `patience` lasts.
    pub(super) fn scan(&self, arguments: &[String], patience: Duration) -> Result<Findings> {
        let begun = Instant::now();
        let mut child = Command::new("ip")
            .args(["netns", "exec", HERE, "timeout", "--kill-after=5"])
            .arg(patience.as_secs().to_string())
            .arg(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start ip")?;
        let Some(errors) = child.stderr.take() else { bail!("a pipe was asked for") };
        // Read beside the rows: a full pipe would stop the scan.
        let errors = std::thread::spawn(move || std::io::read_to_string(errors));
        let Some(output) = child.stdout.take() else { bail!("a pipe was asked for") };
        let (mut rows, mut summaries) = (Vec::new(), Vec::new());
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read the scan's output")?;
            match serde_json::from_str(&line).with_context(|| format!("the scan wrote `{line}`"))? {
                Line::Port(row) => rows.push(row),
                Line::Summary(summary) => summaries.push(summary),
                Line::Other => {}
            }
        }
        let status = child.wait().context("cannot wait for the scan")?;
        let elapsed = begun.elapsed();
        if status.code() == Some(TIMED_OUT) {
            bail!("the scan took more than {} s", patience.as_secs());
        }
        let errors = errors.join().ok().and_then(Result::ok).unwrap_or_default();
        let errors = errors.trim().to_owned();
        if summaries.len() != 1 {
            bail!(
                "{} summaries for one scan, which ended with {status}: {errors}",
                summaries.len()
            );
        }
        Ok(Findings { rows, summary: summaries.remove(0), elapsed, exit: status.code(), errors })
    }
}
