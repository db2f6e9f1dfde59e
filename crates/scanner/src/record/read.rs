//! Which format a file has, and why it cannot be read.

use std::io::{self, BufRead};

use super::bounded::Bounded;
use super::{ScanRecord, jsonl, nmap_xml};

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
        /// What is wrong with it.
        reason: String,
    },
    /// More rows than [`ScanRecord::MAX_ROWS`].
    #[error("`{name}` line {line}: more than {} rows", ScanRecord::MAX_ROWS)]
    TooManyRows {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u64,
    },
}
