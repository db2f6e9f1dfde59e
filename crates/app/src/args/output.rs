//! `--format` and `-o [FORMAT:]FILE`, on every command that reports rows.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// Where rows go, and how.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Format of standard output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
    /// Also write to FILE; its format is FORMAT, or by its ending, or that of --format
    #[arg(long, short, value_name = "[FORMAT:]FILE")]
    pub(crate) output: Vec<OutputFile>,
}

/// The value of `-o`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputFile {
    pub(crate) path: PathBuf,
    format: Option<Format>,
}

impl OutputFile {
    /// The format asked for, else the one its name ends in, else `fallback`.
    pub(crate) fn format(&self, fallback: Format) -> Format {
        let by_ending = || {
            let ending = self.path.extension()?.to_str()?;
            Format::from_str(ending, true).ok()
        };
        self.format.or_else(by_ending).unwrap_or(fallback)
    }
}

impl FromStr for OutputFile {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What stands before the colon may be part of a file's name, unless it is a format.
        let split = text.split_once(':').and_then(|(format, path)| {
            let format = Format::from_str(format, true).ok()?;
            (!path.is_empty()).then_some((format, path))
        });
        Ok(match split {
            Some((format, path)) => Self { path: path.into(), format: Some(format) },
            None => Self { path: text.into(), format: None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_said_or_seen() {
        for (text, path, format) in [
            ("csv:out", "out", Format::Csv),
            ("out.jsonl", "out.jsonl", Format::Jsonl),
            ("CSV:out.jsonl", "out.jsonl", Format::Csv),
            ("a:b.csv", "a:b.csv", Format::Csv),
            ("plain", "plain", Format::Table),
            ("csv:", "csv:", Format::Table),
        ] {
            let file: OutputFile = text.parse().unwrap();
            assert_eq!((file.path.to_str(), file.format(Format::Table)), (Some(path), format));
        }
    }
}
