//! Exit codes, and the one place where an error becomes one.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::Context;

use crate::args::ColorWhen;
use crate::output::{ReaderGone, Terminal};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Done, and the answer is "no" or "different".
    No,
    /// The command line makes no sense.
    Usage,
    /// The system did not permit it.
    NotPermitted,
    /// It failed.
    Failed,
    /// `ports lease` did not become its command.
    #[cfg(target_os = "linux")]
    Lease(LeaseFailure),
    /// Stopped by a signal.
    Interrupted(Signal),
}

/// Why `ports lease` did not become its command, by the codes of env(1) and timeout(1).
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseFailure {
    /// Wrong usage, or there is no lease to be had.
    Own = 125,
    /// The command is there and cannot be run.
    NotRun = 126,
    /// There is no such command.
    NoCommand = 127,
}

/// The signals that stop the program in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl Exit {
    /// The code, as a shell sees it: 128 + the signal's number where there was one.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::NotPermitted => 3,
            Self::Failed => 4,
            #[cfg(target_os = "linux")]
            Self::Lease(failure) => failure as u8,
            Self::Interrupted(Signal::Hangup) => 128 + 1,
            Self::Interrupted(Signal::Interrupt) => 128 + 2,
            Self::Interrupted(Signal::Terminate) => 128 + 15,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command line that parses, but asks for something that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// The system does not permit it; says what would make it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotPermitted(pub(crate) String);

/// Says what failed, to whom and why, and how the program ends for it. An output that nobody reads
/// any more is no failure: whoever reads has read enough.
pub(crate) fn report(error: &anyhow::Error, terminal: Terminal) -> Exit {
    let exit = classify(error);
    if exit != Exit::Done {
        terminal.error(error);
    }
    exit
}

/// Shows what is wrong with the command line, or the help that it asks for.
pub(crate) fn refuse(error: &clap::Error) -> Exit {
    // Nothing is known of what the user wants of the terminal.
    let terminal = Terminal::new(ColorWhen::Auto, false, 0);
    if !error.use_stderr() {
        let shown = show(error, terminal);
        let exit = shown.map_or_else(|error| report(&error, terminal), |()| Exit::Done);
        return if exit == Exit::Done { exit } else { of_command(exit) };
    }
    terminal.refuse(error);
    of_command(Exit::Usage)
}

/// The codes of others than `ports lease` are those of the command that it runs.
fn of_command(exit: Exit) -> Exit {
    #[cfg(target_os = "linux")]
    if crate::args::is_lease(std::env::args_os()) {
        return Exit::Lease(LeaseFailure::Own);
    }
    exit
}

/// Writes help to standard output as any other result: clap does not tell of one that is closed.
fn show(help: &clap::Error, terminal: Terminal) -> anyhow::Result<()> {
    let mut stdout = terminal.stdout()?.painted();
    write!(stdout, "{}", help.render().ansi())
        .and_then(|()| stdout.flush())
        .context("cannot write to standard output")
}

fn classify(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<UsageError>() {
            return Exit::Usage;
        }
        if cause.is::<NotPermitted>() {
            return Exit::NotPermitted;
        }
        if let Some(io_error) = cause.downcast_ref::<io::Error>() {
            if ReaderGone::is_marked_on(io_error) {
                return Exit::Done;
            }
            if io_error.kind() == io::ErrorKind::PermissionDenied {
                return Exit::NotPermitted;
            }
        }
    }
    Exit::Failed
}

/// Lets the process open as many descriptors as the system allows it: a server's clients and a
/// scanner's sockets need them. Where that is refused, the soft limit stays.
pub(crate) fn raise_descriptor_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "descriptor limit"),
        Err(error) => tracing::debug!(%error, "the descriptor limit stays as it is"),
    }
}

/// Makes sure that a runtime can have its descriptors: where they are short, tokio panics.
pub(crate) fn check_descriptors() -> anyhow::Result<()> {
    // The poller, its waker, and the pipe that signals come through.
    let needed = (UnixStream::pair(), UnixStream::pair(), UnixStream::pair());
    needed.0.and(needed.1).and(needed.2).context("cannot start: too few descriptors")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io_error(kind: io::ErrorKind) -> anyhow::Error {
        anyhow::Error::from(io::Error::from(kind)).context("writing a row")
    }

    #[test]
    fn causes_decide_the_code() {
        let unread = ReaderGone::mark(io::ErrorKind::BrokenPipe.into());
        assert_eq!(classify(&anyhow::Error::new(unread).context("writing a row")), Exit::Done);
        // Of a connection, for example.
        assert_eq!(classify(&io_error(io::ErrorKind::BrokenPipe)), Exit::Failed);
        assert_eq!(classify(&io_error(io::ErrorKind::PermissionDenied)), Exit::NotPermitted);
        assert_eq!(classify(&io_error(io::ErrorKind::AddrInUse)), Exit::Failed);
        assert_eq!(classify(&anyhow::Error::new(UsageError("x".into()))), Exit::Usage);
    }

    #[test]
    fn codes_are_those_of_the_documentation() {
        let all = [Exit::Done, Exit::No, Exit::Usage, Exit::NotPermitted, Exit::Failed];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4]);
        assert_eq!(Exit::Interrupted(Signal::Hangup).code(), 129);
        assert_eq!(Exit::Interrupted(Signal::Interrupt).code(), 130);
        assert_eq!(Exit::Interrupted(Signal::Terminate).code(), 143);
    }
}
