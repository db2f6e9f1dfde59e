//! `cargo xtask lint`: every rule of the workspace that a machine can check.

mod arrows;
mod links;
mod manifests;
mod programs;
mod sources;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};
use clap::ValueEnum;
use xshell::Shell;

use crate::{codegen, workspace};

/// Arguments of `cargo xtask lint`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// First repair what a tool can repair: formatting, clippy's suggestions, generated sources.
    #[arg(long)]
    fix: bool,
    /// Run this step only; may be given more than once.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
}

/// The steps, cheapest first, so that a slip in a link does not wait for clippy.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Size, first line and name of each .rs file; no `unsafe` outside sockets-sys.
    Sources,
    /// Which crate depends on which.
    Arrows,
    /// What each Cargo.toml inherits from the workspace.
    Manifests,
    /// Relative links in *.md; the README's Quick start.
    Docs,
    /// Whether the generated sources are up to date.
    Codegen,
    /// Syntax of the shell scripts.
    Shell,
    /// Formatting.
    Fmt,
    /// Licences, bans and sources of the dependencies, where cargo-deny is installed.
    Deny,
    /// Clippy over all targets.
    Clippy,
    /// The documentation builds without a warning.
    Rustdoc,
}

/// What the steps look at.
struct Project {
    shell: Shell,
    files: BTreeSet<PathBuf>,
    metadata: Metadata,
}

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing is broken; the notices are worth reading all the same.
    Passed(Vec<String>),
    /// Not run, and why.
    Skipped(String),
    /// What is broken.
    Failed(Vec<String>),
}

impl Outcome {
    fn of(problems: Vec<String>) -> Self {
        if problems.is_empty() { Self::Passed(Vec::new()) } else { Self::Failed(problems) }
    }
}

/// Runs the steps; exit code 1 where one failed.
///
/// # Errors
///
/// Where the workspace cannot be read at all. A step that cannot run counts as failed.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let shell = workspace::shell()?;
    if args.fix {
        programs::fix(&shell)?;
        codegen::run(false)?;
    }
    let files = workspace::files(&shell)?;
    if let Some(reason) = &files.without_git {
        println!("note: walked the directories, as git gave no list of files: {reason}");
    }
    let metadata = MetadataCommand::new()
        .current_dir(workspace::root())
        .no_deps()
        .exec()
        .context("cannot read the workspace's metadata")?;
    let project = Project { shell, files: files.paths, metadata };

    let steps: Vec<Step> = Step::value_variants()
        .iter()
        .copied()
        .filter(|step| args.only.is_empty() || args.only.contains(step))
        .collect();
    let mut failures = Vec::new();
    let mut skipped = 0;
    for step in &steps {
        match run_step(*step, &project)? {
            Outcome::Passed(_) => {}
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed(problems) => failures.push((step.name(), problems)),
        }
    }
    Ok(conclude(steps.len(), skipped, &failures))
}

/// Runs one step and prints its line.
fn run_step(step: Step, project: &Project) -> Result<Outcome> {
    print!("{:<10}", step.name());
    std::io::stdout().flush().context("cannot write to standard output")?;
    let start = Instant::now();
    let outcome =
        step.run(project).unwrap_or_else(|error| Outcome::Failed(vec![format!("{error:#}")]));
    let seconds = start.elapsed().as_secs_f64();
    match &outcome {
        Outcome::Passed(notices) => {
            println!("ok      {seconds:7.1} s");
            for notice in notices {
                println!("          notice: {notice}");
            }
        }
        Outcome::Skipped(reason) => println!("skipped {seconds:7.1} s  {reason}"),
        Outcome::Failed(_) => println!("FAILED  {seconds:7.1} s"),
    }
    Ok(outcome)
}

/// Lists what is broken, last, where it is seen.
fn conclude(steps: usize, skipped: usize, failures: &[(&str, Vec<String>)]) -> ExitCode {
    for (step, problems) in failures {
        println!("\n{step}:");
        for problem in problems {
            println!("  {}", problem.trim_end().replace('\n', "\n  "));
        }
    }
    let passed = steps - skipped - failures.len();
    println!("\nlint: {passed} steps passed, {skipped} skipped, {} failed", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Arrows => "arrows",
            Self::Manifests => "manifests",
            Self::Docs => "docs",
            Self::Codegen => "codegen",
            Self::Shell => "shell",
            Self::Fmt => "fmt",
            Self::Deny => "deny",
            Self::Clippy => "clippy",
            Self::Rustdoc => "rustdoc",
        }
    }

    fn run(self, project: &Project) -> Result<Outcome> {
        match self {
            Self::Sources => sources::check(project),
            Self::Arrows => Ok(arrows::check(project)),
            Self::Manifests => manifests::check(project),
            Self::Docs => links::check(project),
            Self::Codegen => codegen::run(true).map(|()| Outcome::Passed(Vec::new())),
            Self::Shell => programs::shell_syntax(project),
            Self::Fmt => programs::fmt(&project.shell),
            Self::Deny => programs::deny(&project.shell),
            Self::Clippy => programs::clippy(&project.shell),
            Self::Rustdoc => programs::rustdoc(&project.shell),
        }
    }
}
