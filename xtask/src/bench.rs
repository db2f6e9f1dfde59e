//! `cargo xtask bench`: the scanner on loopback, interleaved with the bare connect loop and the
//! peers that are installed. The result is a ratio; absolute times are the machine's.

mod bare;
mod contender;
mod findings;
mod listeners;
mod measure;
mod plan;
mod report;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use cargo_metadata::MetadataCommand;
use xshell::cmd;

pub(crate) use self::bare::{Args as BareArgs, run as run_bare};
use self::contender::Contender;
use self::listeners::Listeners;
use self::measure::Meter;
use self::plan::{Plan, Ports};
use self::report::Report;
use self::summary::{Run, Series};
use crate::workspace;

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; in each, every contender runs once [default: 5, with --quick 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// Ports to scan [default: 1-65535, with --quick 1-8192]
    #[arg(long, value_name = "FIRST-LAST")]
    ports: Option<Ports>,
    /// A short run, to see that everything works: its numbers are worth little
    #[arg(long)]
    quick: bool,
    /// The earlier result to compare with [default: the last one]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// Measures, prints the table, writes the JSON; exit code 1 where a run of any contender failed,
/// or our scanner's answer was wrong.
///
/// # Errors
///
/// Where the program cannot be built, or the machine gives no listening sockets.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let plan = Plan::new(args.runs, args.ports, args.quick);
    let target = target_directory()?;
    let directory = target.join("bench");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let latest = directory.join("latest.json");
    // Read first: this run overwrites it.
    let baseline = read_baseline(args.baseline.as_deref(), &latest)?;

    build()?;
    let contenders = contender::all(&target.join("release"), plan.ports)?;
    let listeners = Listeners::open(plan.ports)?;
    let meter = Meter::new(directory.clone());
    println!(
        "{} ports of 127.0.0.1 ({}), {} open, {} rounds; memory: {}",
        plan.ports.count(),
        plan.ports,
        listeners.ports().len(),
        plan.rounds,
        meter.memory_method(),
    );
    for absence in &contenders.absent {
        println!("not measured: {absence}");
    }
    let rows = measure_rounds(&plan, &contenders.present, &listeners, &meter);

    let unix_time =
        SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let report = Report::new(unix_time, &plan, &listeners, &meter, contenders, &rows);
    print!("\n{}", report.table());
    if let Some((path, baseline)) = &baseline {
        print!("\n{}", report.comparison(baseline, &path.display().to_string()));
    }
    let json = serde_json::to_string_pretty(&report)?;
    let file = directory.join(format!("scan-{unix_time}.json"));
    for path in [&file, &latest] {
        std::fs::write(path, &json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("\nwrote {}", file.display());
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Both in release: a bare loop that is not optimised would flatter the scanner.
fn build() -> Result<()> {
    let shell = workspace::shell()?;
    cmd!(shell, "cargo build --release --quiet --package app --package xtask")
        .quiet()
        .run()
        .context("cannot build the release binaries")
}

fn target_directory() -> Result<PathBuf> {
    let metadata = MetadataCommand::new().current_dir(workspace::root()).no_deps().exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// Every contender once a round, and no one always first: the order turns by one each round.
fn measure_rounds(
    plan: &Plan,
    contenders: &[Contender],
    listeners: &Listeners,
    meter: &Meter,
) -> Vec<Series> {
    let mut rows: Vec<Series> = contenders.iter().map(|_| Series::default()).collect();
    for round in 0..plan.rounds as usize {
        print!("round {}/{}:", round + 1, plan.rounds);
        for turn in 0..contenders.len() {
            let index = (turn + round) % contenders.len();
            let run = measure_one(&contenders[index], listeners, meter);
            match &run {
                Ok(run) => print!("  {} {:.3} s", contenders[index].name, run.wall_ms / 1e3),
                Err(_) => print!("  {} failed", contenders[index].name),
            }
            rows[index].push(run.map_err(|error| format!("{error:#}")));
        }
        println!();
    }
    rows
}

fn measure_one(contender: &Contender, listeners: &Listeners, meter: &Meter) -> Result<Run> {
    let before = listeners.others()?;
    let measured = meter.run(&contender.program, &contender.arguments)?;
    let after = listeners.others()?;
    let open = findings::open_ports(contender.output, &measured.stdout)?;
    let ours = listeners.ports();
    Ok(Run {
        wall_ms: measured.wall.as_secs_f64() * 1e3,
        peak_rss_kib: measured.peak_rss_kib,
        found_open: open.intersection(ours).count(),
        // Another program's listener is no mistake; one that came or went meanwhile is neither.
        false_opens: open
            .into_iter()
            .filter(|port| !ours.contains(port) && !before.contains(port) && !after.contains(port))
            .collect(),
    })
}

/// The file asked for, or the last result where there is one.
fn read_baseline(asked: Option<&Path>, latest: &Path) -> Result<Option<(PathBuf, Report)>> {
    let path = asked.unwrap_or(latest);
    if asked.is_none() && !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the baseline {}", path.display()))?;
    let report = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a result of this bench", path.display()))?;
    Ok(Some((path.to_owned(), report)))
}
