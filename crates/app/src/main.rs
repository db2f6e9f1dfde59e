//! The program `ports`: know, claim, open, scan and watch ports and sockets.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod network_app;
mod output;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::args::Command;
use crate::commands::conversation::bind;
use crate::exit::{Exit, report};
use crate::output::{Terminal, flush_standard_error};
use crate::signals::Signals;

/// How long who reads standard error is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let exit = match args::parse(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(args) => {
            let terminal = Terminal::new(args.color, args.quiet, args.verbose);
            terminal.start_logging();
            run(args.command, terminal).unwrap_or_else(|error| report(&error, terminal))
        }
        Err(error) => exit::refuse(&error),
    };
    flush_standard_error(PATIENCE);
    exit.into()
}

fn run(command: Command, terminal: Terminal) -> anyhow::Result<Exit> {
    signals::outlive_file_size_limit()?;
    match command {
        // Commands that only print need no runtime.
        Command::Diff(diff) => commands::diff::run(&diff, terminal),
        Command::Lookup(lookup) => commands::lookup::run(&lookup, terminal),
        #[cfg(target_os = "linux")]
        Command::Lease(lease) => Ok(commands::lease::run(&lease, terminal)),
        #[cfg(target_os = "linux")]
        Command::Leases(leases) => commands::leases::run(&leases, terminal),
        #[cfg(target_os = "linux")]
        Command::Free(free) => commands::free::run(&free, terminal),
        #[cfg(target_os = "linux")]
        Command::Ls(ls) if !ls.watch => commands::ls::run(&ls, terminal),
        #[cfg(target_os = "linux")]
        Command::Who(who) => commands::who::run(&who, terminal),
        #[cfg(target_os = "linux")]
        Command::Kill(kill) => commands::kill::run(&kill, terminal),
        #[cfg(target_os = "linux")]
        Command::Doctor(doctor) => commands::doctor::run(&doctor, terminal),
        Command::Completions(completions) => commands::completions::run(&completions, terminal),
        Command::Man => commands::man::run(terminal),
        Command::Scan(scan) => {
            on_runtime(async |signals| commands::scan::run(scan, terminal, signals).await)
        }
        Command::Listen(listen) => {
            let passed = bind::passed(&listen.places)?;
            on_runtime(async |signals| {
                commands::listen::run(listen, passed, terminal, signals).await
            })
        }
        Command::Connect(connect) => {
            on_runtime(async |signals| commands::connect::run(connect, terminal, signals).await)
        }
        Command::Forward(forward) => {
            let passed = bind::passed(std::slice::from_ref(&forward.listen))?;
            on_runtime(async |signals| {
                commands::forward::run(forward, passed, terminal, signals).await
            })
        }
        #[cfg(target_os = "linux")]
        Command::Sniff(sniff) => {
            on_runtime(async |signals| commands::sniff::run(sniff, terminal, signals).await)
        }
        #[cfg(target_os = "linux")]
        Command::Ls(ls) => {
            on_runtime(async |signals| commands::ls::watch(&ls, terminal, signals).await)
        }
        #[cfg(target_os = "linux")]
        Command::Watch(watch) => {
            on_runtime(async |signals| commands::watch::run(&watch, terminal, signals).await)
        }
        Command::Demo(demo) => {
            on_runtime(async |signals| commands::demo::run(&demo, terminal, signals).await)
        }
    }
}

/// Runs a command whose parts go on side by side, and which a signal stops in order.
fn on_runtime(command: impl AsyncFnOnce(&Signals) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    exit::raise_descriptor_limit();
    exit::check_descriptors()?;
    output::write_behind();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let exit = runtime.block_on(async {
        let signals = Signals::listen().context("cannot listen to signals")?;
        command(&signals).await
    });
    // A blocked read of standard input must not keep the process alive.
    runtime.shutdown_background();
    exit
}
