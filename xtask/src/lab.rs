//! `cargo xtask lab`: the release binary against hosts whose truth is known, in network namespaces:
//! real kernels over a lossy link, and simulated networks behind a TUN device.

mod attendant;
mod catalogue;
mod enclosure;
mod findings;
mod judgement;
mod listeners;
mod report;
mod round;
mod scenario;
mod simnet;
mod truth;
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};

use self::findings::Scanner;
pub(crate) use self::listeners::{Args as ListenArgs, run as run_listeners};
use self::report::{Report, Row};
use self::scenario::{Case, Need};
pub(crate) use self::simnet::{Args as SimnetArgs, run as run_simnet};
use crate::workspace;

/// Arguments of `cargo xtask lab`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cases to run, such as `loss-5`, or `loss-5/syn` [default: all]
    names: Vec<String>,
    /// Print the cases and what each is about, and run nothing
    #[arg(long)]
    list: bool,
    /// Leave out the cases that take long
    #[arg(long)]
    quick: bool,
    /// How often each case runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Seed of the first run's order of probes; each further run has the next
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The program to try [default: `ports` of this workspace, built for release]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Already inside the namespaces that the lab makes for itself
    #[arg(long, hide = true)]
    inside: bool,
}

/// Runs the cases, prints the table, writes the JSON; exit code 1 where a check failed, a case
/// could not run, or there was none.
///
/// # Errors
///
/// Where the lab cannot be set up at all: not root, a program missing, a name that is no case.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let cases = chosen(args)?;
    if args.list {
        for case in &cases {
            println!("{:<24} {}", case.name(), case.scenario.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let target = workspace::target_directory()?;
    let release = target.join("release");
    if !args.inside {
        check_programs()?;
        // This program, too: a simulated network that is not optimised would be the slow part.
        let packages: &[&str] = if args.program.is_none() { &["xtask", "app"] } else { &["xtask"] };
        workspace::build_release(packages)?;
        return enclosure::enter(&release.join("xtask"));
    }
    enclosure::end_with_standard_input();
    let program = args.program.clone().unwrap_or_else(|| release.join("ports"));
    run_inside(args, &cases, &target.join("lab"), &Scanner::new(program)?)
}

fn run_inside(
    args: &Args,
    cases: &[Case],
    directory: &Path,
    scanner: &Scanner,
) -> Result<ExitCode> {
    let mut rows = Vec::new();
    println!("{}", Row::HEAD);
    for case in cases {
        let lacking: Vec<Need> =
            case.needs().into_iter().filter(|need| !scanner.offers(*need)).collect();
        let row = if lacking.is_empty() {
            let rounds = (0..args.runs).map(|number| {
                round::run(case, scanner, args.seed.wrapping_add(u64::from(number)))
                    .map_err(|error| format!("{error:#}"))
            });
            Row::new(case, rounds.collect())
        } else {
            Row::not_run(case, &lacking)
        };
        println!("{row}");
        rows.push(row);
    }
    let unix_time =
        SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let report = Report::new(unix_time, scanner.version().to_owned(), rows);
    println!("\n{}", report.conclusion());

    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let json = serde_json::to_string_pretty(&report)?;
    for file in ["latest.json".to_owned(), format!("lab-{unix_time}.json")] {
        let path = directory.join(file);
        std::fs::write(&path, &json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("wrote {}", directory.join("latest.json").display());
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The cases that the arguments name, in the catalogue's order.
fn chosen(args: &Args) -> Result<Vec<Case>> {
    let all = catalogue::cases();
    for name in &args.names {
        if !all.iter().any(|case| case.is_called(name)) {
            let names: BTreeSet<_> = all.iter().map(|case| case.scenario.name).collect();
            let names: Vec<_> = names.into_iter().collect();
            bail!("no case is called `{name}`; there are: {}", names.join(", "));
        }
    }
    let named =
        |case: &Case| args.names.is_empty() || args.names.iter().any(|name| case.is_called(name));
    Ok(all.into_iter().filter(|case| named(case) && !(args.quick && case.is_slow())).collect())
}

/// Root, and the programs that make networks.
fn check_programs() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "the lab needs root: it makes network namespaces"
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<_> = [("ip", "iproute2"), ("nft", "nftables"), ("unshare", "util-linux")]
        .into_iter()
        .filter(|(program, _)| {
            !std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
        })
        .map(|(program, package)| format!("{program} (Debian: {package})"))
        .collect();
    ensure!(
        missing.is_empty(),
        "the lab needs programs that are not on PATH: {}",
        missing.join(", ")
    );
    Ok(())
}
