//! `ports diff`: what changed between two saved scans?

mod rows;

use std::fs::File;
use std::io::{self, BufReader};

use anyhow::Context;
use scanner::{Comparison, ScanRecord};

use self::rows::{CsvRows, JsonlRows, Outcome, TableRows};
use crate::args::{DiffArgs, Format, SavedScan};
use crate::exit::{Exit, UsageError};
use crate::output::{self, Terminal, counted};

pub(crate) fn run(args: &DiffArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    if args.before == SavedScan::StandardInput && args.after == SavedScan::StandardInput {
        return Err(UsageError("standard input can be read only once: one `-`".into()).into());
    }
    let stdout = terminal.stdout()?;
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    for (file, record) in [(&args.before, &before), (&args.after, &after)] {
        if let Some(why) = record.unfinished() {
            terminal.warn(&format!(
                "`{file}` is unfinished ({why}): what is missing in it is no difference"
            ));
        }
        let errors = record.unlisted_errors();
        if errors > 0 {
            terminal.warn(&format!(
                "`{file}`: {} could not be asked, and it does not list which (scan with \
                 `--show open,error`): differences that may be due to that are not certain",
                counted(errors, "port", "ports")
            ));
        }
    }
    let comparison = Comparison::between(&before, &after);
    let outcome = Outcome {
        files: [args.before.to_string(), args.after.to_string()],
        unfinished: [before.unfinished(), after.unfinished()],
        comparison: &comparison,
    };
    // Once the scans are read: it may be the same file.
    let (writers, mut unemptied) =
        output::open_all(args.output.output.iter().map(|file| &file.path))?;
    unemptied.empty()?;
    for (file, writer) in args.output.output.iter().zip(writers) {
        write(file.format(args.output.format), writer, &outcome)
            .with_context(|| output::cannot_write(&file.path))?;
    }
    write(args.output.format, stdout, &outcome).context("cannot write to standard output")?;
    Ok(if comparison.is_same() { Exit::Done } else { Exit::No })
}

fn read(file: &SavedScan) -> anyhow::Result<ScanRecord> {
    let name = file.to_string();
    Ok(match file {
        SavedScan::StandardInput => ScanRecord::read(&name, io::stdin().lock())?,
        SavedScan::File(path) => {
            let file = File::open(path).with_context(|| format!("cannot read `{name}`"))?;
            ScanRecord::read(&name, BufReader::new(file))?
        }
    })
}

fn write(format: Format, writer: impl io::Write, outcome: &Outcome<'_>) -> io::Result<()> {
    match format {
        Format::Table => rows::write(TableRows::new(writer), outcome),
        Format::Jsonl => rows::write(JsonlRows(writer), outcome),
        Format::Csv => rows::write(CsvRows::new(writer)?, outcome),
    }
}
