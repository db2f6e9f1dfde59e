//! Arguments of `ports kill`.

use std::time::Duration;

use clap::ValueEnum;

use super::scan::positive_duration;
use super::{HeldPort, OutputArgs};

/// Arguments of `ports kill`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 the holders have ended; 1 nobody holds the port, or you said no; 2 nobody was \
    asked: --yes is missing; 3 not permitted; 4 a holder is still there, or another one took the port."
)]
pub(crate) struct KillArgs {
    /// The port, in TCP and UDP (8080) or in one of them (8080/tcp, 53/udp)
    #[arg(value_name = "PORT[/TRANSPORT]")]
    pub(crate) port: HeldPort,
    /// Only show whom it would end
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Also processes that are spared else: process 1, and those that this one was started by
    #[arg(long)]
    pub(crate) force: bool,
    /// What to send first
    #[arg(long, value_name = "SIGNAL", default_value = "TERM", ignore_case = true)]
    pub(crate) signal: EndSignal,
    /// How long a holder has to end by itself, before it is killed
    #[arg(long, value_name = "D", default_value = "5s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A signal that asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum EndSignal {
    /// End, please
    Term,
    /// As Ctrl-C
    Int,
    /// As Ctrl-\, with a core file where these are made
    Quit,
    /// The terminal is gone
    Hup,
    /// At once; it cannot clean up
    Kill,
}
