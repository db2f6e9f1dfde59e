//! `cargo xtask`: the chores of this workspace, one file per subcommand.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod bench;
mod codegen;
#[cfg(target_os = "linux")]
mod lab;
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
    /// Measure the scanner beside the tightest loop and installed peers: loopback, a link, loss.
    Bench(bench::Args),
    /// Write the generated sources.
    Codegen {
        /// Write nothing; fail where a generated source is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Try the release binary on hosts whose truth is known, in network namespaces; needs root.
    #[cfg(target_os = "linux")]
    Lab(lab::Args),
    /// Print one command of README.md's Quick start.
    QuickStart(quick_start::Args),
    /// The bare connect loop, in a process of its own.
    #[command(hide = true)]
    BareConnect(bench::BareArgs),
    /// A host of the bench: listens in a network namespace until standard input ends.
    #[command(hide = true)]
    BenchHost(bench::HostArgs),
    /// Sockets of the bench, held until standard input ends.
    #[command(hide = true)]
    HoldSockets(bench::HolderArgs),
    /// Open ports of the lab, inside a network namespace.
    #[command(hide = true)]
    #[cfg(target_os = "linux")]
    LabListen(lab::ListenArgs),
    /// A simulated network on a TUN device of this network namespace, until standard input ends.
    #[command(hide = true)]
    #[cfg(target_os = "linux")]
    Simnet(lab::SimnetArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    match Xtask::parse() {
        Xtask::Lint(args) => lint::run(&args),
        Xtask::Bench(args) => bench::run(&args),
        Xtask::Codegen { check } => codegen::run(check).map(|()| ExitCode::SUCCESS),
        #[cfg(target_os = "linux")]
        Xtask::Lab(args) => lab::run(&args),
        #[cfg(target_os = "linux")]
        Xtask::LabListen(args) => lab::run_listeners(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(target_os = "linux")]
        Xtask::Simnet(args) => lab::run_simnet(&args).map(|()| ExitCode::SUCCESS),
        Xtask::QuickStart(args) => quick_start::run(&args).map(|()| ExitCode::SUCCESS),
        Xtask::BareConnect(args) => bench::run_bare(&args).map(|()| ExitCode::SUCCESS),
        Xtask::HoldSockets(args) => bench::run_holder(&args).map(|()| ExitCode::SUCCESS),
        Xtask::BenchHost(args) => bench::run_host(&args).map(|()| ExitCode::SUCCESS),
    }
}
