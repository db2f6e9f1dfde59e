//! Where a scan's events go: standard output, and the files of `-o`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use scanner::report::{
    CsvReport, GrepableReport, JsonlReport, NmapXmlReport, Paint, Report, TableReport,
};
use scanner::{PortState, ScanEvent};

use super::progress::Bar;
use crate::args::{ScanArgs, ScanFormat, TargetArg};
use crate::exit::UsageError;
use crate::output::{self, Outputs, StandardOutput, Unemptied};

/// All outputs of one command.
pub(super) struct Sinks {
    outputs: Outputs<Sink>,
    /// What is in them is of an earlier scan.
    unemptied: Unemptied,
    shown: Vec<PortState>,
}

struct Sink {
    report: Box<dyn Report + Send>,
    /// Whether it hears of what has no row, too.
    counts: bool,
    /// On the same terminal, perhaps.
    bar: Option<Bar>,
}

impl Sinks {
    /// Opens the files, and leaves in them what is there.
    pub(super) fn open(args: &ScanArgs, stdout: StandardOutput, bar: Bar) -> anyhow::Result<Self> {
        spare_inputs(args)?;
        let shown = args.shown();
        let command = command_line();
        let sink = |format, writer: Box<dyn Write + Send>, paint| {
            Sink::new(format, writer, paint, &command, &shown)
        };
        let outputs = &args.output.output;
        let (writers, unemptied) = output::open_all(outputs.iter().map(|file| &file.path))?;
        let mut files = Vec::new();
        for (file, writer) in outputs.iter().zip(writers) {
            let format = file.format(args.output.format);
            files.push((file.path.clone(), sink(format, Box::new(writer), |_| ("", ""))));
        }
        let stdout = match args.output.format {
            ScanFormat::Table => stdout.painted(),
            _ => stdout,
        };
        let mut stdout = sink(args.output.format, Box::new(stdout), paint);
        stdout.bar = Some(bar);
        Ok(Self { outputs: Outputs::new(stdout, files), unemptied, shown })
    }

    /// The scan can begin: empties the files.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        self.unemptied.empty()
    }

    /// Writes one event everywhere. After an error the outputs that are left take more.
    pub(super) fn event(&mut self, mut event: ScanEvent) -> anyhow::Result<()> {
        let counted_only = match &mut event {
            ScanEvent::Started(info) => {
                info.shown.clone_from(&self.shown);
                false
            }
            ScanEvent::Port(report) => !self.shown.contains(&report.state()),
            _ => false,
        };
        // A verdict that has no row, and one that is held, leave the terminal as it is.
        let is_verdict = matches!(event, ScanEvent::Port(_));
        let silent =
            is_verdict && self.outputs.stdout().is_none_or(|sink| counted_only || sink.counts);
        self.outputs.each(false, |sink| {
            if counted_only && !sink.counts {
                return Ok(());
            }
            sink.write(silent, |report| report.event(&event))
        })
    }

    /// No scan follows.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.outputs.each(false, |sink| sink.write(false, |report| report.end()))
    }
}

impl Sink {
    fn new(
        format: ScanFormat,
        writer: Box<dyn Write + Send>,
        paint: Paint,
        command: &str,
        shown: &[PortState],
    ) -> Self {
        let (report, counts): (Box<dyn Report + Send>, bool) = match format {
            ScanFormat::Jsonl => (Box::new(JsonlReport::new(writer)), false),
            ScanFormat::Csv => (Box::new(CsvReport::new(writer)), false),
            ScanFormat::Table => (Box::new(TableReport::painted(writer, paint)), false),
            ScanFormat::Xml => (Box::new(NmapXmlReport::new(writer, command).show(shown)), true),
            ScanFormat::Grepable => {
                (Box::new(GrepableReport::new(writer, command).show(shown)), true)
            }
        };
        Self { report, counts, bar: None }
    }

    /// Has it write; `silent` where that changes nothing on a terminal.
    fn write(
        &mut self,
        silent: bool,
        write: impl FnOnce(&mut dyn Report) -> io::Result<()>,
    ) -> io::Result<()> {
        let report = self.report.as_mut();
        match &self.bar {
            Some(bar) if !silent => bar.suspend(|| write(report)),
            _ => write(report),
        }
    }
}

/// Refuses to write where this very command reads: the list would be lost, or the kept scan.
fn spare_inputs(args: &ScanArgs) -> Result<(), UsageError> {
    let lists = args.targets.iter().filter_map(|target| match target {
        TargetArg::File(path) => Some(path),
        _ => None,
    });
    let inputs: Vec<&PathBuf> = lists.chain(&args.exclude_file).chain(&args.resume).collect();
    for file in &args.output.output {
        if inputs.iter().any(|input| is_same_file(input, &file.path)) {
            let path = file.path.display();
            return Err(UsageError(format!(
                "`{path}` is read by this scan: write to another file"
            )));
        }
    }
    Ok(())
}

/// Whether both paths lead to one file, also where it does not exist yet.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.into())
    };
    place(one) == place(other)
}

/// The command line, for people to read.
fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    std::iter::once("ports".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
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
