//! Arguments of `ports kill`.

use std::time::Duration;

use clap::ValueEnum;

use super::duration::duration;
use super::duration::positive_duration;
use super::{HeldPorts, OutputArgs};

/// Arguments of `ports kill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports kill 8080\n\
    \x20 ports kill 8080 --dry-run\n\
    \x20 ports kill 8080/tcp --yes --signal INT\n\
    \n\
    Exit code: 0 the holders have ended, or let go of the port; 1 nobody holds the port, you said no, or somebody has \
    taken it again; 2 nobody was asked: --yes is missing; 3 not permitted; 4 a holder is still there.")]
pub(crate) struct KillArgs {
    /// The port, or the name of its service, in TCP and UDP (8080, https) or in one of them (8080/tcp,
    /// domain/udp); of a name that several ports have, only one may be held
    #[arg(value_name = "PORT[/TRANSPORT]")]
    pub(crate) port: HeldPorts,
    /// Only show whom it would end
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Also processes that are spared else: process 1, and those that this one was started by
    #[arg(long)]
    pub(crate) force: bool,
    /// What to send first; SIGTERM and 15 are TERM, too
    #[arg(long, value_name = "SIGNAL", default_value = "TERM", ignore_case = true)]
    pub(crate) signal: EndSignal,
    /// How long a holder has to end by itself, before it is killed; who has let go of the port by then is not
    #[arg(long, value_name = "D", default_value = "5s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
    /// How long to look whether somebody takes the port again, such as a supervisor that starts the
    /// holder anew; without it 1s where there may be one, else once
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) settle: Option<Duration>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A signal that asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum EndSignal {
    /// End, please
    #[value(aliases = ["SIGTERM", "15"])]
    Term,
    /// As Ctrl-C
    #[value(aliases = ["SIGINT", "2"])]
    Int,
    /// As Ctrl-\, with a core file where these are made
    #[value(aliases = ["SIGQUIT", "3"])]
    Quit,
    /// The terminal is gone
    #[value(aliases = ["SIGHUP", "1"])]
    Hup,
    /// At once; it cannot clean up
    #[value(aliases = ["SIGKILL", "9"])]
    Kill,
}

impl EndSignal {
    /// As signal(7) names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Term => "SIGTERM",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Hup => "SIGHUP",
            Self::Kill => "SIGKILL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for texts in [["hup", "SIGHUP", "1"], ["KILL", "sigkill", "9"], ["Term", "SigTerm", "15"]] {
            let signals = texts.map(|text| EndSignal::from_str(text, true).unwrap());
            assert_eq!(signals[0].name().to_lowercase(), format!("sig{}", texts[0].to_lowercase()));
            assert!(signals.iter().all(|signal| *signal == signals[0]), "{texts:?}");
        }
        for text in ["", "SIG", "SIGUSR1", "STOP", "0", "64"] {
            assert!(EndSignal::from_str(text, true).is_err(), "{text}");
        }
    }
}
