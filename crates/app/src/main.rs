//! The program `ports`: know, claim, open, scan and watch ports and sockets.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod network_app;
mod output;
mod signals;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::args::{Args, Command};
use crate::commands::listen::bind::{self, Passed};
use crate::exit::{Exit, report};
use crate::output::Terminal;
use crate::signals::Signals;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::refuse(&error),
    };
    let terminal = Terminal::new(args.color, args.quiet, args.verbose);
    terminal.start_logging();
    let exit = match run(args, terminal) {
        Ok(exit) => exit,
        Err(error) => report(&error, terminal),
    };
    exit.into()
}

fn run(args: Args, terminal: Terminal) -> anyhow::Result<Exit> {
    signals::outlive_file_size_limit()?;
    // Commands that only print need no runtime.
    let command = match args.command {
        Command::Diff(diff) => return commands::diff::run(&diff, terminal),
        Command::Lookup(lookup) => return commands::lookup::run(&lookup, terminal),
        #[cfg(target_os = "linux")]
        Command::Lease(lease) => return Ok(commands::lease::run(&lease, terminal)),
        #[cfg(target_os = "linux")]
        Command::Leases(leases) => return commands::leases::run(&leases, terminal),
        #[cfg(target_os = "linux")]
        Command::Free(free) => return commands::free::run(&free, terminal),
        #[cfg(target_os = "linux")]
        Command::Ls(ls) if !ls.watch => return commands::ls::run(&ls, terminal),
        #[cfg(target_os = "linux")]
        Command::Who(who) => return commands::who::run(&who, terminal),
        #[cfg(target_os = "linux")]
        Command::Kill(kill) => return commands::kill::run(&kill, terminal),
        #[cfg(target_os = "linux")]
        Command::Doctor(doctor) => return commands::doctor::run(&doctor, terminal),
        Command::Completions(completions) => {
            return commands::completions::run(&completions, terminal);
        }
        Command::Man => return commands::man::run(terminal),
        command => command,
    };
    let passed = match &command {
        Command::Listen(listen) => bind::passed(&listen.places)?,
        Command::Forward(forward) => bind::passed(std::slice::from_ref(&forward.listen))?,
        _ => Passed::default(),
    };
    exit::raise_descriptor_limit();
    exit::check_descriptors()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let exit = runtime.block_on(async {
        let signals = Signals::listen().context("cannot listen to signals")?;
        match command {
            Command::Scan(scan) => commands::scan::run(scan, terminal, &signals).await,
            Command::Listen(listen) => {
                commands::listen::run(listen, passed, terminal, &signals).await
            }
            Command::Connect(connect) => commands::connect::run(connect, terminal, &signals).await,
            Command::Forward(forward) => {
                commands::forward::run(forward, passed, terminal, &signals).await
            }
            #[cfg(target_os = "linux")]
            Command::Sniff(sniff) => commands::sniff::run(sniff, terminal, &signals).await,
            #[cfg(target_os = "linux")]
            Command::Ls(ls) => commands::ls::watch(&ls, terminal, &signals).await,
            #[cfg(target_os = "linux")]
            Command::Watch(watch) => commands::watch::run(&watch, terminal, &signals).await,
            Command::Demo(demo) => commands::demo::run(&demo, terminal, &signals).await,
            #[cfg(target_os = "linux")]
            Command::Lease(_)
            | Command::Leases(_)
            | Command::Free(_)
            | Command::Who(_)
            | Command::Kill(_)
            | Command::Doctor(_) => Ok(Exit::Done),
            Command::Diff(_) | Command::Lookup(_) | Command::Completions(_) | Command::Man => {
                Ok(Exit::Done)
            }
        }
    });
    // A blocked read of standard input must not keep the process alive.
    runtime.shutdown_background();
    exit
}
