//! What goes to the terminal: results to standard output, notes and errors to standard error.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use tracing_subscriber::EnvFilter;

use super::{StandardError, StandardOutput, printable};
use crate::args::ColorWhen;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default();

/// The two standard streams, as the user wants them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    choice: ColorChoice,
    quiet: bool,
    verbose: u8,
}

impl Terminal {
    pub(crate) fn new(color: ColorWhen, quiet: bool, verbose: u8) -> Self {
        let choice = match color {
            ColorWhen::Auto => ColorChoice::Auto,
            ColorWhen::Always => ColorChoice::Always,
            ColorWhen::Never => ColorChoice::Never,
        };
        Self { choice, quiet, verbose }
    }

    /// Sends what the libraries log to standard error, with `-v`. What the user should know without it
    /// comes as an event, and is said as a note.
    pub(crate) fn start_logging(self) {
        let level = match (self.quiet, self.verbose) {
            (true, _) | (_, 0) => "error",
            (_, 1) => "info",
            (_, 2) => "debug",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_env("PORTS_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(|| StandardError)
            .with_ansi(self.paints_errors())
            .without_time()
            .init();
    }

    /// Standard output; to be taken before the work begins, since it fails where it is closed.
    pub(crate) fn stdout(self) -> anyhow::Result<StandardOutput> {
        StandardOutput::open(self, self.choice)
    }

    /// Whether progress is to be shown: standard error is a terminal and nobody asked for quiet.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Whether what is drawn on standard output may have colours.
    pub(crate) fn paints(self) -> bool {
        AutoStream::new(io::stdout(), self.choice).current_choice() != ColorChoice::Never
    }

    /// Whether `-v` asked for more.
    pub(crate) const fn is_verbose(self) -> bool {
        self.verbose > 0
    }

    /// Says something that is not a result: on a terminal, or with `-v`.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet && (self.verbose > 0 || io::stderr().is_terminal()) {
            self.say(NOTE, "note", text);
        }
    }

    /// Says something the user should know even where nobody watches.
    pub(crate) fn warn(self, text: &str) {
        if !self.quiet {
            self.say(NOTE, "note", text);
        }
    }

    /// Says what failed, with its causes on the same line.
    pub(crate) fn error(self, error: &anyhow::Error) {
        self.say(ERROR, "error", &format!("{error:#}"));
    }

    /// Says what is wrong with the command line.
    pub(crate) fn refuse(self, error: &clap::Error) {
        let text = error.render();
        let text = if self.paints_errors() { text.ansi().to_string() } else { text.to_string() };
        // It never fails.
        let _ = StandardError.write_all(text.as_bytes());
    }

    fn say(self, style: Style, label: &str, text: &str) {
        // It may have the names of processes or files in it.
        let text: String = text.chars().map(|c| if c == '\n' { c } else { printable(c) }).collect();
        let line = if self.paints_errors() {
            format!("{style}{label}:{style:#} {text}\n")
        } else {
            format!("{label}: {text}\n")
        };
        // It never fails.
        let _ = StandardError.write_all(line.as_bytes());
    }

    /// Whether what is written to standard error may have colours.
    fn paints_errors(self) -> bool {
        AutoStream::new(io::stderr(), self.choice).current_choice() != ColorChoice::Never
    }
}

/// How many columns standard output has, where it is a terminal that says so.
pub(super) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
