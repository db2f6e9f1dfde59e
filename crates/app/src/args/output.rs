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

/// A format of scans: that of rows, or one of nmap's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// For people
    Table,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
    /// nmap's XML
    Xml,
    /// nmap's grepable lines
    Grepable,
}

/// A format that files can be written in.
pub(crate) trait FileFormat: ValueEnum + Clone {
    /// The formats by name, for a message.
    const NAMES: &'static str;

    /// The format of files with this ending.
    fn by_ending(ending: &str) -> Option<Self>;
}

impl FileFormat for Format {
    const NAMES: &'static str = "table, jsonl or csv";

    fn by_ending(ending: &str) -> Option<Self> {
        match ScanFormat::by_ending(ending)? {
            ScanFormat::Table => Some(Self::Table),
            ScanFormat::Jsonl => Some(Self::Jsonl),
            ScanFormat::Csv => Some(Self::Csv),
            ScanFormat::Xml | ScanFormat::Grepable => None,
        }
    }
}

impl FileFormat for ScanFormat {
    const NAMES: &'static str = "table, jsonl, csv, xml or grepable";

    fn by_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Jsonl),
            "gnmap" => Some(Self::Grepable),
            ending => Self::from_str(ending, false).ok(),
        }
    }
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

/// Where a scan goes, and how.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ScanOutputArgs {
    /// Format of standard output
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: ScanFormat,
    /// Also write to FILE; its format is FORMAT, or by its ending (.jsonl, .csv, .xml, .gnmap), or
    /// that of --format
    #[arg(long, short, value_name = "[FORMAT:]FILE")]
    pub(crate) output: Vec<OutputFile<ScanFormat>>,
}

/// The value of `-o`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputFile<F = Format> {
    pub(crate) path: PathBuf,
    format: Option<F>,
}

impl<F: FileFormat> OutputFile<F> {
    /// The format asked for, else the one its name ends in, else `fallback`.
    pub(crate) fn format(&self, fallback: F) -> F {
        let by_ending = || F::by_ending(self.path.extension()?.to_str()?);
        self.format.clone().or_else(by_ending).unwrap_or(fallback)
    }
}

impl<F: FileFormat> FromStr for OutputFile<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A colon may also be part of a path; a word before it is meant as a format.
        let word =
            |part: &str| part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let (format, path) = match text.split_once(':').filter(|(format, _)| word(format)) {
            Some((format, path)) => {
                let known = F::from_str(format, true).map_err(|_| {
                    let of_scans = ScanFormat::from_str(format, true).is_ok();
                    let only = if of_scans { " of this command" } else { "" };
                    let names = F::NAMES;
                    format!("`{format}` is not a format{only}: {names} (./{text} is a file's name)")
                })?;
                (Some(known), path)
            }
            None => (None, text),
        };
        match path {
            "" => return Err("the file's name is missing".to_owned()),
            "-" => return Err("standard output has --format; ./- is a file's name".to_owned()),
            _ => {}
        }
        let file = Self { path: path.into(), format };
        // What ends like a scan is taken for one by whoever reads it.
        let ending = file.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let of_scans = ScanFormat::by_ending(ending);
        if file.format.is_none() && of_scans.is_some() && F::by_ending(ending).is_none() {
            return Err(format!(
                "`.{ending}` is the ending of a format that only `ports scan` writes: {} \
                 (csv:{text} for another format)",
                F::NAMES
            ));
        }
        Ok(file)
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
        for text in ["xml:out", "csv:", "", "-", "jsonl:-", "out.xml", "out.gnmap"] {
            assert!(text.parse::<OutputFile>().is_err(), "{text}");
        }
    }

    #[test]
    fn scans_have_two_formats_more() {
        for (text, format) in [
            ("xml:out", ScanFormat::Xml),
            ("out.XML", ScanFormat::Xml),
            ("out.gnmap", ScanFormat::Grepable),
            ("grepable:out.xml", ScanFormat::Grepable),
            ("out.txt", ScanFormat::Table),
        ] {
            let file: OutputFile<ScanFormat> = text.parse().unwrap();
            assert_eq!(file.format(ScanFormat::Table), format, "{text}");
        }
        assert!("html:out".parse::<OutputFile<ScanFormat>>().is_err());
    }
}
