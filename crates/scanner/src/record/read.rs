//! Which format a file has, and why it cannot be read.

use std::io::{self, BufRead};
use std::sync::Arc;

use super::bounded::Bounded;
use super::{ScanRecord, jsonl, nmap_xml};

/// Characters of a file that an error shows.
const MAX_SHOWN: usize = 200;
/// RFC 1035 section 2.3.4.
const MAX_NAME_LENGTH: usize = 255;

impl ScanRecord {
    /// Reads a saved scan: JSON lines or XML, told by the first character. `name` is the file's, for
    /// errors. A file that ends in the middle is read as far as it goes: [`Self::unfinished`].
    ///
    /// # Errors
    ///
    /// [`ReadRecordError`] names the file, and the line.
    pub fn read(name: &str, reader: impl BufRead) -> Result<Self, ReadRecordError> {
        let mut reader = Bounded::new(reader);
        let failed = |source| ReadRecordError::Read { name: name.to_owned(), source };
        match reader.first_byte().map_err(failed)? {
            None => Err(ReadRecordError::Empty { name: name.to_owned() }),
            Some(b'<') => nmap_xml::read(name, reader),
            Some(b'{') => jsonl::read(name, reader),
            Some(_) => Err(ReadRecordError::Format { name: name.to_owned() }),
        }
    }
}

/// Why a file is no saved scan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadRecordError {
    /// The reader failed.
    #[error("cannot read `{name}`")]
    Read {
        /// The file.
        name: String,
        /// What the reader said.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("`{name}` is empty: it holds no scan")]
    Empty {
        /// The file.
        name: String,
    },
    /// It is neither JSON lines nor XML.
    #[error(
        "`{name}` is neither JSON lines nor XML: save scans with `-o FILE.jsonl` or `-o FILE.xml`"
    )]
    Format {
        /// The file.
        name: String,
    },
    /// It is JSON lines or XML, but holds no scan.
    #[error("`{name}` holds no scan: {reason}")]
    NoScan {
        /// The file.
        name: String,
        /// What is missing.
        reason: &'static str,
    },
    /// A line does not say what it should.
    #[error("`{name}` line {line}: {reason}")]
    Line {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it; control characters in what it quotes are escaped.
        reason: String,
    },
    /// More rows, hosts and runs of addresses than [`ScanRecord::MAX_ROWS`].
    #[error(
        "`{name}` line {line}: more than {} rows, hosts and runs of addresses",
        ScanRecord::MAX_ROWS
    )]
    TooManyRows {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u64,
    },
    /// More scans than [`ScanRecord::MAX_SCANS`].
    #[error("`{name}` line {line}: more than {} scans in one file", ScanRecord::MAX_SCANS)]
    TooManyScans {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u64,
    },
}

/// Why a line or an element is not taken.
#[derive(Debug)]
pub(super) enum Refused {
    Reason(String),
    TooManyRows,
    TooManyScans,
}

impl Refused {
    pub(super) fn at(self, name: &str, line: u64) -> ReadRecordError {
        let name = name.to_owned();
        match self {
            Self::Reason(reason) => {
                ReadRecordError::Line { name, line, reason: for_a_terminal(&reason) }
            }
            Self::TooManyRows => ReadRecordError::TooManyRows { name, line },
            Self::TooManyScans => ReadRecordError::TooManyScans { name, line },
        }
    }
}

/// The name of a host. Names are shown on terminals, which obey control characters.
pub(super) fn host_name(name: &str) -> Result<Arc<str>, Refused> {
    if name.len() > MAX_NAME_LENGTH {
        let message = format!("a host's name is longer than {MAX_NAME_LENGTH} bytes");
        return Err(Refused::Reason(message));
    }
    if name.chars().any(char::is_control) {
        return Err(Refused::Reason(format!("a host's name has a control character: `{name}`")));
    }
    Ok(name.into())
}

/// A text that quotes a file: not too much of it, and no control characters.
fn for_a_terminal(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == MAX_SHOWN {
            shown.push_str("...");
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
