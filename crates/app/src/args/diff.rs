//! Arguments of `ports diff`.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::OutputArgs;

/// Arguments of `ports diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports diff monday.jsonl tuesday.jsonl\n\
    \x20 ports scan 192.0.2.7 --format jsonl | ports diff monday.jsonl -\n\
    \n\
    Reads what `ports scan` wrote as jsonl or xml, and nmap's own XML (-oX); which it \
    is is seen from the content.\n\
    A port that a finished scan covered and did not list has none of the states that were to be \
    listed. What one of the two did not scan is no difference.\n\n\
    Exit code: 0 the same; 1 they differ; 2 wrong usage; 4 a file that cannot be read.")]
pub(crate) struct DiffArgs {
    /// The earlier scan; - is standard input
    #[arg(value_name = "A")]
    pub(crate) before: SavedScan,
    /// The later scan; - is standard input
    #[arg(value_name = "B")]
    pub(crate) after: SavedScan,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Where a saved scan is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SavedScan {
    StandardInput,
    File(PathBuf),
}

impl FromStr for SavedScan {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::StandardInput } else { Self::File(text.into()) })
    }
}

impl fmt::Display for SavedScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardInput => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
