//! Where lines go.

use std::fs::File;
use std::io::{self, Stdout, Write};
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::line::EventLine;
use crate::output::{Marked, file, stop_when_gone};

/// Where lines go.
pub(super) trait Sink: Send {
    /// The command has begun its work.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// A line, flushed.
    fn line(&mut self, text: &[u8]) -> io::Result<()>;
}

impl Sink for Marked<Stdout> {
    fn line(&mut self, text: &[u8]) -> io::Result<()> {
        self.write_all(text)?;
        self.flush()
    }
}

/// How much is kept of what a run tells before it has begun, in bytes of whole lines.
const MOST_BEFORE: usize = 64 * 1024;

/// A file, and what is in it of an earlier run until this one begins: a second one that is started by
/// mistake, and fails, leaves the first one its log.
///
/// Where it is a pipe, that its reader leaves is a failure: the command may move data, which is cut by that.
pub(super) struct LogFile {
    file: File,
    has_begun: bool,
    /// What this run has written before it began.
    before: Vec<u8>,
    /// Lines that found no room there.
    missed: u64,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = file::open(path)?;
        Ok(Self { file, has_begun: false, before: Vec::new(), missed: 0 })
    }

    /// Whoever reads it may leave before the next line.
    pub(super) fn stop_when_unread(&self, stop: &CancellationToken) {
        if let Ok(copy) = self.file.try_clone() {
            stop_when_gone(copy, stop);
        }
    }

    /// Not a pipe, whose reader would be in the way.
    pub(super) fn is_regular(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.is_file())
    }

    fn keep(&mut self, line: &[u8]) {
        // One that is missed is told behind those that are there.
        if self.missed > 0 || self.before.len() + line.len() > MOST_BEFORE {
            self.missed += 1;
        } else {
            self.before.extend_from_slice(line);
        }
    }
}

impl Sink for LogFile {
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let mut before = std::mem::take(&mut self.before);
        // A pipe keeps what it got.
        if !file::empty_if_regular(&self.file)? {
            return Ok(());
        }
        if self.missed > 0 {
            serde_json::to_writer(&mut before, &EventLine::Lagged { missed: self.missed })?;
            before.push(b'\n');
        }
        self.file.write_all(&before)
    }

    fn line(&mut self, text: &[u8]) -> io::Result<()> {
        self.file.write_all(text)?;
        self.file.flush()?;
        if !self.has_begun {
            self.keep(text);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_before_the_beginning_is_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "of an earlier run\n").unwrap();
        let mut log = LogFile::open(file.path()).unwrap();
        let line = [&[b'x'; MOST_BEFORE / 4 - 1][..], b"\n"].concat();
        for _ in 0..7 {
            log.line(&line).unwrap();
        }
        assert_eq!(log.before.len(), MOST_BEFORE);
        log.begin().unwrap();
        log.line(b"after\n").unwrap();
        log.begin().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let told: Vec<_> = text.lines().skip_while(|line| line.starts_with('x')).collect();
        assert_eq!(told, [r#"{"type":"lagged","missed":3}"#, "after"]);
        assert_eq!(text.lines().count(), 4 + 2);
        assert!(log.before.is_empty());
    }
}
