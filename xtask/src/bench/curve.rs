//! Recall against rate: how much of what is open each scanner finds, by how fast it asks and how
//! much is lost on the way. Many hosts, one port, all open.

mod svg;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::contender::LineUp;
use super::link::{Link, Scene};
use super::measure::Meter;
use super::plan::Plan;
use super::programs::{Job, NMAP_SYN_FAST, OURS_CONNECT, OURS_SYN, Programs};
use super::rounds::measure_rounds;
use super::summary::{Series, median};
use super::world::World;
use crate::workspace;

const LOSSES: [u8; 4] = [0, 1, 5, 10];
const QUICK_LOSSES: [u8; 2] = [0, 5];
/// In probes per second; `None` is each program's own choice.
const RATES: [Option<u32>; 5] = [Some(2_000), Some(10_000), Some(50_000), Some(100_000), None];
const QUICK_RATES: [Option<u32>; 2] = [Some(10_000), None];
/// The longest and the shortest prefix that is scanned: 4,096 hosts and 65,536.
const PREFIXES: (u8, u8) = (20, 16);
/// A run at 2,000 probes per second that finds everything takes 2 s.
const TIME_LIMIT: Duration = Duration::from_mins(2);
const PICTURE: &str = "docs/recall.svg";

/// One scanner at one rate and one loss: medians over its runs.
#[derive(Debug, Serialize)]
struct Point {
    tool: &'static str,
    loss_percent: u8,
    /// What it was told, in probes per second; nothing where it chose itself.
    rate: Option<u32>,
    hosts: u32,
    /// The part of the open ports that it found.
    recall: Option<f64>,
    /// Hosts asked per second, from the first SYN that arrived to the last.
    asked_per_s: Option<f64>,
    wall_ms: Option<f64>,
    false_opens: usize,
    runs: usize,
    failures: Vec<String>,
}

/// Everything measured.
#[derive(Serialize)]
struct Curve {
    unix_time: u64,
    quick: bool,
    not_measured: Vec<String>,
    points: Vec<Point>,
}

/// Measures, prints the points, writes JSON and picture. True where a run failed, or our scanner
/// invented an open port.
///
/// # Errors
///
/// Where a namespace cannot be made or a file cannot be written.
pub(super) fn measure(plan: Plan, programs: &Programs, directory: &Path) -> Result<bool> {
    let (losses, rates) =
        if plan.quick { (&QUICK_LOSSES[..], &QUICK_RATES[..]) } else { (&LOSSES[..], &RATES[..]) };
    let meter = Meter::new(directory.to_owned()).limited_to(TIME_LIMIT);
    let unix_time =
        SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let mut curve =
        Curve { unix_time, quick: plan.quick, not_measured: Vec::new(), points: Vec::new() };
    for &loss in losses {
        for &rate in rates {
            let scene = Scene::crowd(prefix(rate, plan.quick)).losing(loss);
            let world = World::Link(Box::new(Link::new(&programs.xtask, scene)?));
            println!("\ncurve: {}, {}", world.describe(), told(rate));
            let line_up = line_up(plan, programs, &world.job(rate));
            let series = measure_rounds(plan.rounds(1), &line_up.present, &world, &meter);
            for (contender, series) in line_up.present.iter().zip(&series) {
                curve.points.push(Point::new(contender.name, scene, rate, series));
            }
            curve.not_measured = line_up.absent;
        }
    }
    print!("\n{}", curve.table());
    curve.write(directory)?;
    Ok(curve.points.iter().any(Point::failed))
}

/// As many hosts as are asked in a second, within limits: at a low rate many take long, at a high
/// one few are over before the rate is reached.
fn prefix(rate: Option<u32>, quick: bool) -> u8 {
    let (longest, shortest) = PREFIXES;
    if quick {
        return longest;
    }
    let enough = |prefix: &u8| rate.is_some_and(|rate| 1_u32 << (32 - u32::from(*prefix)) >= rate);
    (shortest..=longest).rev().find(enough).unwrap_or(shortest)
}

fn line_up(plan: Plan, programs: &Programs, job: &Job<'_>) -> LineUp {
    let mut line_up = LineUp::default();
    let ours = if programs.has_syn { OURS_SYN } else { OURS_CONNECT };
    line_up.add(programs.ours(ours, job));
    line_up.add(Programs::masscan(job));
    line_up.add(programs.zmap(job));
    line_up.add_slow(plan.quick, programs.nmap(NMAP_SYN_FAST, job));
    line_up
}

fn told(rate: Option<u32>) -> String {
    rate.map_or_else(|| "no rate".into(), |rate| format!("told {rate}/s"))
}

impl Point {
    fn new(tool: &'static str, scene: Scene, rate: Option<u32>, series: &Series) -> Self {
        let hosts = scene.hosts();
        let recalls = series.runs().map(|run| run.found_open as f64 / f64::from(hosts));
        Self {
            tool,
            loss_percent: scene.loss_percent,
            rate,
            hosts,
            recall: median(recalls),
            asked_per_s: median(series.runs().filter_map(|run| run.asked_per_s)),
            wall_ms: median(series.runs().map(|run| run.wall_ms)),
            false_opens: series.runs().map(|run| run.false_opens.len()).sum(),
            runs: series.runs().count(),
            failures: series.failures().cloned().collect(),
        }
    }

    fn failed(&self) -> bool {
        let ours = [OURS_SYN, OURS_CONNECT].contains(&self.tool);
        !self.failures.is_empty() || (ours && self.false_opens > 0)
    }
}

impl Curve {
    fn table(&self) -> String {
        let mut text = format!(
            "{:>6} {:<14} {:>12} {:>10} {:>10} {:>8} {:>6}\n",
            "loss %", "", "told", "asked/s", "recall %", "wall s", "false"
        );
        let cell = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        // Writing to a string cannot fail.
        for point in &self.points {
            let _ = writeln!(
                text,
                "{:>6} {:<14} {:>12} {:>10} {:>10} {:>8} {:>6}",
                point.loss_percent,
                point.tool,
                told(point.rate),
                cell(point.asked_per_s.map(|rate| format!("{rate:.0}"))),
                cell(point.recall.map(|recall| format!("{:.3}", recall * 100.0))),
                cell(point.wall_ms.map(|ms| format!("{:.2}", ms / 1e3))),
                point.false_opens,
            );
        }
        for absence in &self.not_measured {
            let _ = writeln!(text, "not measured: {absence}");
        }
        for point in &self.points {
            for failure in &point.failures {
                let _ = writeln!(text, "failed: {}, {}: {failure}", point.tool, told(point.rate));
            }
        }
        text
    }

    fn write(&self, directory: &Path) -> Result<()> {
        let json = directory.join(format!("curve-{}.json", self.unix_time));
        // A quick run is no picture to show.
        let picture = if self.quick {
            directory.join("recall-quick.svg")
        } else {
            workspace::root().join(PICTURE)
        };
        let contents =
            [(&json, serde_json::to_string_pretty(self)?), (&picture, svg::draw(&self.points))];
        for (path, content) in contents {
            fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", path.display());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_hosts_as_a_second_takes() {
        for (rate, expected) in
            [(Some(2_000), 20), (Some(10_000), 18), (Some(50_000), 16), (Some(100_000), 16)]
        {
            assert_eq!(prefix(rate, false), expected, "{rate:?}");
        }
        assert_eq!((prefix(None, false), prefix(None, true)), (16, 20));
    }
}
