//! `--format` and `-o [FORMAT:]FILE`, on every command that reports rows.

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
            let ending = if ending == "json" { "jsonl" } else { ending };
            Format::from_str(ending, true).ok()
        };
        self.format.or_else(by_ending).unwrap_or(fallback)
    }
}

impl FromStr for OutputFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A colon may also be part of a path; a word before it is meant as a format.
        let word =
            |part: &str| part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let (format, path) = match text.split_once(':').filter(|(format, _)| word(format)) {
            Some((format, path)) => match Format::from_str(format, true) {
                Ok(format) => (Some(format), path),
                Err(_) => {
                    return Err(format!(
                        "`{format}` is not a format: table, jsonl or csv (./{text} is a file's name)"
                    ));
                }
            },
            None => (None, text),
        };
        match path {
            "" => Err("the file's name is missing".to_owned()),
            "-" => Err("standard output has --format; ./- is a file's name".to_owned()),
            _ => Ok(Self { path: path.into(), format }),
        }
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
            ("./a:b.csv", "./a:b.csv", Format::Csv),
            ("out.json", "out.json", Format::Jsonl),
            ("plain", "plain", Format::Table),
        ] {
            let file: OutputFile = text.parse().unwrap();
            assert_eq!((file.path.to_str(), file.format(Format::Table)), (Some(path), format));
        }
        for text in ["xml:out", "csv:", "", "-", "jsonl:-"] {
            assert!(text.parse::<OutputFile>().is_err(), "{text}");
        }
    }
}
