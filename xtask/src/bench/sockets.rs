//! The machine's sockets: `ports ls` and `ports who` beside `ss` and `lsof`, in turns, while some
//! processes hold many sockets. Not a scan, so it has a table of its own.

mod holder;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use self::holder::Holders;
pub(crate) use self::holder::{Args as HolderArgs, run as run_holder};
use super::plan::Plan;
use super::programs::Programs;

const ROUNDS: u32 = 5;
/// As in the baselines.
const SOCKETS: u32 = 99_000;
const FEW_PROCESSES: u32 = 5;
const MANY_PROCESSES: u32 = 1000;
const SOCKETS_OF_MANY: u32 = 10_000;
/// An ordinary desktop.
const DESKTOP_SOCKETS: u32 = 200;
const DESKTOP_PROCESSES: u32 = 8;
/// In a quick run, sockets are fewer by this.
const QUICK: u32 = 10;

/// One of ours beside a peer on the same work.
struct Pair {
    ours: &'static [&'static str],
    peer: &'static [&'static str],
    at_most: Bar,
}

/// The most that ours may take.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bar {
    /// Of what the peer takes.
    OfPeer(f64),
    /// Whatever the peer takes.
    Milliseconds(f64),
}

const OF_FEW: [Pair; 4] = [
    Pair {
        ours: &["ls", "--tcp", "--format", "csv"],
        peer: &["ss", "-tanH"],
        at_most: Bar::OfPeer(1.0),
    },
    Pair {
        ours: &["ls", "--tcp", "--process", "--format", "csv"],
        peer: &["ss", "-tanpH"],
        at_most: Bar::OfPeer(0.15),
    },
    Pair {
        ours: &["ls", "--tcp", "--listening", "--process"],
        peer: &["ss", "-tlnp"],
        at_most: Bar::OfPeer(0.3),
    },
    Pair { ours: &["who", PORT], peer: &["lsof", "-nP", LSOF_PORT], at_most: Bar::OfPeer(0.3) },
];

const OF_MANY: [Pair; 1] = [Pair {
    ours: &["ls", "--tcp", "--process", "--format", "csv"],
    peer: &["ss", "-tanpH"],
    at_most: Bar::OfPeer(0.5),
}];

const OF_DESKTOP: [Pair; 1] = [Pair {
    ours: &["ls", "--process"],
    peer: &["ss", "-tuanp"],
    at_most: Bar::Milliseconds(30.0),
}];

/// Stand for a port that a holder listens at.
const PORT: &str = "PORT/tcp";
const LSOF_PORT: &str = "-iTCP:PORT";

/// What came of a pair.
#[derive(Serialize)]
struct Row {
    sockets: u32,
    processes: u32,
    ours: String,
    peer: String,
    ours_ms: f64,
    peer_ms: f64,
    ratio: f64,
    at_most: Bar,
    met: bool,
}

/// Measures, prints the table, writes the JSON. Returns whether a run failed.
///
/// # Errors
///
/// Where the sockets cannot be held, or the result cannot be written.
pub(super) fn measure(plan: Plan, programs: &Programs, directory: &Path) -> Result<bool> {
    let shrink = if plan.quick { QUICK } else { 1 };
    let mut rows = Vec::new();
    let mut absent = Vec::new();
    for (processes, sockets, pairs) in [
        // First: the many leave connections in TIME-WAIT behind.
        (DESKTOP_PROCESSES, DESKTOP_SOCKETS, &OF_DESKTOP[..]),
        (FEW_PROCESSES, SOCKETS / shrink, &OF_FEW[..]),
        (MANY_PROCESSES / shrink, SOCKETS_OF_MANY / shrink, &OF_MANY[..]),
    ] {
        let holders = Holders::start(&programs.xtask, processes, sockets)?;
        for pair in pairs {
            if Command::new(pair.peer[0]).arg("-v").output().is_err() {
                absent.push(pair.peer[0]);
                continue;
            }
            rows.push(Row {
                sockets,
                processes,
                ..pair.measure(plan.rounds(ROUNDS), &programs.ours, holders.port(), directory)?
            });
        }
    }
    print!("\n{}", table(&rows));
    for name in absent {
        println!("not measured: {name} is not installed");
    }
    let unix_time =
        SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let file = directory.join(format!("sockets-{unix_time}.json"));
    std::fs::write(&file, serde_json::to_vec_pretty(&rows)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(false)
}

impl Pair {
    fn measure(&self, rounds: u32, ours: &Path, port: u16, directory: &Path) -> Result<Row> {
        let filled = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| word.replace("PORT", &port.to_string())).collect()
        };
        let (arguments, peer) = (filled(self.ours), filled(self.peer));
        let out = directory.join("sockets.out");
        let (mut times, mut peer_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let own = time(ours, &arguments, &out)?;
            let theirs = time(&PathBuf::from(&peer[0]), &peer[1..], &out)?;
            ratios.push(own.as_secs_f64() / theirs.as_secs_f64());
            times.push(own.as_secs_f64() * 1000.0);
            peer_times.push(theirs.as_secs_f64() * 1000.0);
        }
        let (ratio, ours_ms) = (median(&mut ratios), median(&mut times));
        Ok(Row {
            sockets: 0,
            processes: 0,
            ours: format!("ports {}", arguments.join(" ")),
            peer: peer.join(" "),
            ours_ms,
            peer_ms: median(&mut peer_times),
            ratio,
            at_most: self.at_most,
            met: match self.at_most {
                Bar::OfPeer(most) => ratio <= most,
                Bar::Milliseconds(most) => ours_ms <= most,
            },
        })
    }
}

/// Of one run; it must succeed and print something.
fn time(program: &Path, arguments: &[String], out: &Path) -> Result<Duration> {
    let file = File::create(out).with_context(|| format!("cannot create {}", out.display()))?;
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let elapsed = started.elapsed();
    let printed = std::fs::metadata(out).map(|out| out.len()).unwrap_or_default();
    ensure!(
        status.success() && printed > 0,
        "{} {} ended with {status} and printed {printed} bytes",
        program.display(),
        arguments.join(" ")
    );
    Ok(elapsed)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn table(rows: &[Row]) -> String {
    use std::fmt::Write as _;
    let mut text =
        "sockets: medians of wall times, and of their ratios round by round\n".to_owned();
    for row in rows {
        // Writing to a String does not fail.
        let bar = match row.at_most {
            Bar::OfPeer(most) => most.to_string(),
            Bar::Milliseconds(most) => format!("{most} ms"),
        };
        let _ = writeln!(
            text,
            "{:>6} in {:>4}  {:<40} {:>8.1} ms  {:<20} {:>8.1} ms  {:>6.3} (bar {bar}){}",
            row.sockets,
            row.processes,
            row.ours,
            row.ours_ms,
            row.peer,
            row.peer_ms,
            row.ratio,
            if row.met { "" } else { "  MISSED" },
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_value_counts() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&mut []).is_nan());
    }
}
