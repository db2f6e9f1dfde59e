//! Where lines go.

use std::fs::File;
use std::io::{self, Stdout, Write};
use std::path::Path;

use crate::output::{Marked, file};

/// Where lines go.
pub(super) trait Sink: Write + Send {
    /// The command has begun its work.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Marked<Stdout> {}

/// A file, and what is in it of an earlier run until this one begins: a second one that is started by
/// mistake, and fails, leaves the first one its log.
pub(super) struct LogFile {
    file: Marked<File>,
    has_begun: bool,
    /// What this run has written before it began: the error of a first try, no more.
    before: Vec<u8>,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { file: Marked(file::open(path)?), has_begun: false, before: Vec::new() })
    }

    /// Not a pipe, whose reader would be in the way.
    pub(super) fn is_regular(&self) -> bool {
        self.file.0.metadata().is_ok_and(|file| file.is_file())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if !self.has_begun {
            self.before.extend_from_slice(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for LogFile {
    fn begin(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) {
            // A pipe keeps what it got.
            if file::empty_if_regular(&self.file.0)? {
                self.file.write_all(&std::mem::take(&mut self.before))?;
            }
        }
        Ok(())
    }
}
