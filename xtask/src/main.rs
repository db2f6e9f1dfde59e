//! `cargo xtask`: the chores of this workspace, one file per subcommand.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod bench;
mod codegen;
mod lint;
mod quick_start;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// The chores of this workspace.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
enum Xtask {
    /// Check the workspace against its own rules; exit code 1 where one is broken.
    Lint(lint::Args),
    /// Measure the scanner on loopback, beside the bare connect loop and installed peers.
    Bench(bench::Args),
    /// Write the generated sources.
    Codegen {
        /// Write nothing; fail where a generated source is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Print one command of README.md's Quick start.
    QuickStart(quick_start::Args),
    /// The bare connect loop, in a process of its own.
    #[command(hide = true)]
    BareConnect(bench::BareArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    match Xtask::parse() {
        Xtask::Lint(args) => lint::run(&args),
        Xtask::Bench(args) => bench::run(&args),
        Xtask::Codegen { check } => codegen::run(check).map(|()| ExitCode::SUCCESS),
        Xtask::QuickStart(args) => quick_start::run(&args).map(|()| ExitCode::SUCCESS),
        Xtask::BareConnect(args) => bench::run_bare(&args).map(|()| ExitCode::SUCCESS),
    }
}
