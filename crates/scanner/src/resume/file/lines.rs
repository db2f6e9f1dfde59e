//! The whole lines of a file, one at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// The longest line that is read: several times what a checkpoint can need. A longer one is given as far as
/// that, and fails its check.
const MAX_LINE: u64 = 16 << 20;

/// Reads from the beginning of a file.
pub(super) struct Lines<'a> {
    reader: BufReader<&'a File>,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(mut file: &'a File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 16, file), line: Vec::new() })
    }

    /// The next line without its newline. What comes after the last newline is no line.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let taken = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        let whole = self.line.last() == Some(&b'\n');
        if whole {
            self.line.pop();
        }
        Ok((whole || taken as u64 == MAX_LINE).then_some(&self.line))
    }
}
