//! Where a scan's events go: standard output, and the files of `-o`.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use scanner::report::{CsvReport, JsonlReport, Paint, Report, TableReport};
use scanner::{PortState, ScanEvent};

use super::progress::Bar;
use crate::args::{Format, OutputArgs};
use crate::output::{self, Terminal};

type Sink = Box<dyn Report + Send>;

/// All outputs of one command.
pub(super) struct Sinks {
    /// Gone once its reader is.
    stdout: Option<Sink>,
    files: Vec<(PathBuf, Sink)>,
    /// On the same terminal, perhaps, as standard output.
    bar: Bar,
}

impl Sinks {
    /// Creates the files.
    pub(super) fn open(args: &OutputArgs, terminal: Terminal, bar: Bar) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for file in &args.output {
            let writer = output::create(&file.path)?;
            files.push((file.path.clone(), sink(file.format(args.format), writer, |_| ("", ""))));
        }
        Ok(Self { stdout: Some(sink(args.format, terminal.stdout(), paint)), files, bar })
    }

    /// Writes one event everywhere. A closed pipe is an error only where no file is left to write.
    pub(super) fn event(&mut self, event: &ScanEvent) -> anyhow::Result<()> {
        for (path, sink) in &mut self.files {
            sink.event(event).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        match self.bar.suspend(|| stdout.event(event)) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !self.files.is_empty() => {
                self.stdout = None;
                Ok(())
            }
            result => result.context("cannot write to standard output"),
        }
    }
}

fn sink(format: Format, writer: impl Write + Send + 'static, paint: Paint) -> Sink {
    match format {
        Format::Jsonl => Box::new(JsonlReport::new(writer)),
        Format::Csv => Box::new(CsvReport::new(writer)),
        Format::Table => Box::new(TableReport::painted(writer, paint)),
    }
}

/// SGR colours by state; the stream drops them where they are not wanted.
const fn paint(state: PortState) -> (&'static str, &'static str) {
    let before = match state {
        PortState::Open => "\x1b[1;32m",
        PortState::Closed => "\x1b[2m",
        PortState::Filtered | PortState::OpenFiltered => "\x1b[33m",
        PortState::Error => "\x1b[31m",
    };
    (before, "\x1b[0m")
}
