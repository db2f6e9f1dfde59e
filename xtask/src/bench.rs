//! `cargo xtask bench`: the scanner beside the tightest loop and the peers that are installed, in
//! turns. The result is a ratio; absolute times are the machine's.

mod bar;
mod bare;
mod contender;
mod curve;
mod findings;
mod group;
mod host;
mod link;
mod listeners;
mod measure;
mod plan;
mod programs;
mod report;
mod results;
mod rounds;
mod sockets;
mod summary;
mod witness;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

pub(crate) use self::bare::{Args as BareArgs, run as run_bare};
use self::group::Group;
pub(crate) use self::host::{Args as HostArgs, run as run_host};
use self::measure::Meter;
use self::plan::Plan;
use self::programs::Programs;
use self::results::Results;
pub(crate) use self::sockets::{HolderArgs, run_holder};
use crate::workspace;

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure only these groups
    #[arg(long, value_name = "NAME", num_args = 1.., value_enum)]
    only: Vec<Group>,
    /// Rounds; in each, every contender runs once, slow peers in the first only [default: 5, with
    /// loss 20, the curve 1; with --quick 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// A short run, to see that everything works: its numbers are worth little
    #[arg(long)]
    quick: bool,
    /// The earlier result to compare with [default: the last one of each group]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// Measures, prints the tables and which bars are met, writes the JSON; exit code 1 where a run of
/// any contender failed, a group could not be set up, or our scanner's answer was wrong. A missed
/// bar is shown and no failure: a time depends on the machine.
///
/// # Errors
///
/// Where the program cannot be built, or a file cannot be read or written.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let plan = Plan::new(args.runs, args.quick);
    let target = workspace::target_directory()?;
    let directory = target.join("bench");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let latest = directory.join("latest.json");
    let last = results::read_last(&latest)?;
    let asked = args.baseline.as_deref().map(results::read).transpose()?;

    // Both in release: a bare loop that is not optimised would flatter the scanner.
    workspace::build_release(&["app", "xtask"])?;
    let programs = Programs::find(&target.join("release"), &directory)?;
    let meter = Meter::new(directory.clone());
    println!("memory: {}", meter.memory_method());
    if !programs.has_syn {
        println!("this build of ports refuses --method syn: measured with --method connect");
    }
    let groups = if args.only.is_empty() { Group::value_variants() } else { &args.only };
    let mut results = Results::new(meter.memory_method());
    let mut failed = false;
    for &group in groups {
        if let Some(obstacle) = group.obstacle(programs.is_root) {
            results.leave_out(group, obstacle);
            continue;
        }
        let outcome = if group == Group::Curve {
            curve::measure(plan, &programs, &directory).map(|wrong| failed |= wrong)
        } else if group == Group::Sockets {
            sockets::measure(plan, &programs, &directory).map(|wrong| failed |= wrong)
        } else {
            group.measure(plan, &programs, &meter).map(|report| {
                print!("\n{}", report.table());
                results.groups.push(report);
            })
        };
        // What was measured before is worth keeping, whatever fails now.
        if let Err(error) = outcome {
            failed = true;
            results.leave_out(group, &format!("{error:#}"));
        }
    }
    failed |= results.failed();
    if !results.groups.is_empty() {
        explain(&results, asked.as_ref().or(last.as_ref()));
        let unix_time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock is before 1970")?
            .as_secs();
        let file = directory.join(format!("scan-{unix_time}.json"));
        results.write(&file)?;
        println!("\nwrote {}", file.display());
        // A quick run is nothing to compare with.
        if !plan.quick {
            results.over(last).write(&latest)?;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the columns mean, and what changed.
fn explain(results: &Results, baseline: Option<&Results>) {
    println!(
        "\nopen: the fewest a run found; false: all runs together; RSS: the highest run.\n\
         packets: what arrived at the scanned host (of many hosts: SYNs); asked/s: the ports there\n\
         were to ask, by the time from the first packet to the last.\n\
         to ref, ours/it: medians of the ratios of wall times round by round; below 1 is faster."
    );
    let comparison = baseline.map(|baseline| results.comparison(baseline)).unwrap_or_default();
    if !comparison.is_empty() {
        print!("\ncompared with an earlier result:\n{comparison}");
    }
}
