//! The command line, as clap parses it: raw flags, each checked by itself.

mod address;
mod demo;
mod diff;
#[cfg(target_os = "linux")]
mod doctor;
mod duration;
mod forward;
mod habits;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod lease;
mod limits;
mod lookup;
#[cfg(target_os = "linux")]
mod ls;
mod output;
mod place;
mod port;
mod report;
mod scan;
#[cfg(target_os = "linux")]
mod sniff;
mod sockets;
mod tls;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod who;

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use demo::DemoArgs;
pub(crate) use diff::{DiffArgs, SavedScan};
#[cfg(target_os = "linux")]
pub(crate) use doctor::DoctorArgs;
pub(crate) use forward::ForwardArgs;
#[cfg(target_os = "linux")]
pub(crate) use kill::{EndSignal, KillArgs};
#[cfg(target_os = "linux")]
pub(crate) use lease::{FreeArgs, LeaseArgs, LeasesArgs, PortArgs, is_lease};
pub(crate) use limits::LimitArgs;
pub(crate) use lookup::{LookupArgs, Query, Subject};
#[cfg(target_os = "linux")]
pub(crate) use ls::{Column, LsArgs, SocketFilterArgs};
pub(crate) use output::{Format, OutputArgs, OutputFile, ScanFormat, ScanOutputArgs};
pub(crate) use place::Place;
#[cfg(target_os = "linux")]
pub(crate) use port::{HeldPort, HeldPorts};
pub(crate) use report::{EventTarget, ReportArgs};
pub(crate) use scan::{MethodArg, ScanArgs, TargetArg};
#[cfg(target_os = "linux")]
pub(crate) use sniff::{Condition, Expression, SniffArgs};
pub(crate) use sockets::{ConnectArgs, ListenArgs, ServiceKind, SlowArg};
pub(crate) use tls::TlsArgs;
#[cfg(target_os = "linux")]
pub(crate) use watch::WatchArgs;
#[cfg(target_os = "linux")]
pub(crate) use who::WhoArgs;

/// Know, claim, open, scan and watch ports and sockets.
#[derive(Debug, Parser)]
#[command(name = "ports", version, arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "Examples:\n\
    \x20 ports who 8080\n\
    \x20 ports ls -tlp\n\
    \x20 ports connect --wait 30s localhost:5432\n\
    \x20 ports forward 127.0.0.1:5432 db.example:5432\n\
    \x20 ports lease -- sh -c 'exec python3 -m http.server $PORT'\n\
    \x20 ports scan localhost\n\n\
    Exit code: 0 done; 1 done, and the answer is \"no\" or \"different\"; 2 wrong usage; \
    3 not permitted; 4 failed; 129 / 130 / 143 interrupted.")]
pub(crate) struct Args {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
    // The three have a place of their own in each help: behind all that a command has.
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 900)]
    pub(crate) color: ColorWhen,
    /// No progress, no notes: only results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose", display_order = 901)]
    pub(crate) quiet: bool,
    /// Say more of what is going on; twice for even more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, display_order = 902)]
    pub(crate) verbose: u8,
}

/// Parses a command line, with the name of the program first. An error has a tip where what other
/// tools are told would do it.
pub(crate) fn parse(line: &[OsString]) -> Result<Args, clap::Error> {
    let parsed = habits::taken_amiss(line).map_or_else(|| Args::try_parse_from(line), Err);
    parsed.map_err(|mut error| {
        habits::advise(&mut error, line);
        error
    })
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find open ports (scan only what you may)
    Scan(ScanArgs),
    /// What changed between two saved scans?
    Diff(DiffArgs),
    /// What is port 5432? Which port is https?
    Lookup(LookupArgs),
    /// Open a listening socket and serve it
    Listen(ListenArgs),
    /// Connect, and move standard input there and what comes back to standard output
    Connect(ConnectArgs),
    /// Pass on what comes to one endpoint to another, and back
    Forward(ForwardArgs),
    /// Run a command with ports that nobody else leases, as long as it lives
    #[cfg(target_os = "linux")]
    Lease(LeaseArgs),
    /// Which ports are leased, and who holds them?
    #[cfg(target_os = "linux")]
    Leases(LeasesArgs),
    /// A port that is free now; only a hint
    #[cfg(target_os = "linux")]
    Free(FreeArgs),
    /// The sockets of this machine
    #[cfg(target_os = "linux")]
    Ls(LsArgs),
    /// Who holds this port here?
    #[cfg(target_os = "linux")]
    Who(WhoArgs),
    /// End who holds this port
    #[cfg(target_os = "linux")]
    Kill(KillArgs),
    /// Why can this port not be bound, and what to do?
    #[cfg(target_os = "linux")]
    Doctor(DoctorArgs),
    /// The live screen: sockets, states, rates
    #[cfg(target_os = "linux")]
    Watch(WatchArgs),
    /// Show packets as they pass the interfaces of this machine
    #[cfg(target_os = "linux")]
    Sniff(SniffArgs),
    /// The tour: echo server, client, UDP service, scan, statistics
    Demo(DemoArgs),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page (roff)
    #[command(after_help = "Examples:\n\
        \x20 ports man | man -l -\n\
        \x20 ports man > ~/.local/share/man/man1/ports.1")]
    Man,
}

/// Arguments of `ports completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Where the shell looks for it:\n\
    \x20 ports completions bash > ~/.local/share/bash-completion/completions/ports\n\
    \x20 ports completions fish > ~/.config/fish/completions/ports.fish\n\
    \x20 ports completions zsh > ~/.zfunc/_ports    (with `fpath+=~/.zfunc` before `compinit`)")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use proptest::prelude::*;

    use super::Args;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    proptest! {
        /// Every parser of a value, fed with anything: a value or an error, never a panic.
        #[test]
        fn any_text_is_a_value_or_an_error(text in prop_oneof![".{0,24}", "[0-9a-z:/.,=?-]{0,24}"]) {
            for before in [
                &["scan"][..],
                &["scan", "::1", "-p"],
                &["scan", "::1", "--exclude"],
                &["scan", "::1", "--timeout"],
                &["scan", "::1", "--rate"],
                &["scan", "::1", "--show"],
                &["scan", "::1", "--source"],
                &["scan", "::1", "-o"],
                &["diff", "a"],
                &["diff", "a", "b", "-o"],
                &["lookup", "--"],
                &["listen"],
                &["listen", "::1:0", "--slow"],
                &["listen", "::1:0", "--idle-timeout"],
                &["connect"],
                &["forward"],
                &["forward", "::1:0"],
                &["sniff"],
                &["sniff", "--count"],
                &["demo", "--tcp-port"],
                &["lease", "--range"],
                &["lease", "--count"],
                &["free", "--address"],
                &["ls", "--state"],
                &["ls", "--port"],
                &["ls", "--columns"],
                &["ls", "--user"],
                &["who"],
                &["kill", "--signal"],
                &["kill", "1", "--settle"],
                &["watch", "--interval"],
                &["doctor"],
            ] {
                let line = ["ports"].iter().chain(before).copied().chain([text.as_str()]);
                if let Err(error) = Args::try_parse_from(line) {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}
