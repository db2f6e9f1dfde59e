//! Why a scan cannot go on from a file.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a resume file cannot be used. What was in the file is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The file could not be opened or made.
    #[error("cannot open the resume file `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be read.
    #[error("cannot read the resume file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written: the scan stops, since it could not go on from here.
    #[error("cannot write the resume file `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another run has the file.
    #[error("the resume file `{}` is in use by another scan", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is no resume file, or damaged.
    #[error("the resume file `{}`, line {line}: {damage}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The file is of another version of the format.
    #[error("the resume file `{}` has format {version}, this program knows format 1", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file is of another scan.
    #[error("the resume file `{}` is of another scan: {}", path.display(), listed(differences))]
    OtherPlan {
        /// The file.
        path: PathBuf,
        /// What differs.
        differences: Vec<Difference>,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// Not the first line of a resume file.
    #[error("this is no resume file")]
    Foreign,
    /// The line's own digest does not fit.
    #[error("damaged: its check does not fit")]
    Check,
    /// Not a line of that kind.
    #[error("damaged: not a checkpoint")]
    Syntax,
    /// Cells or indices that the plan does not have, or that were finished before.
    #[error("damaged: cells that cannot be")]
    Cells,
    /// There are not as many verdicts as ports.
    #[error("damaged: counts that do not fit")]
    Count,
}

/// One thing in which two scans differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// What it is.
    pub what: &'static str,
    /// In the file.
    pub there: String,
    /// In the scan that was asked for.
    pub here: String,
}

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |text: &str| match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text.to_owned(),
        };
        write!(f, "{} {} there, {} here", self.what, cut(&self.there), cut(&self.here))
    }
}

fn listed(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
