//! Reading with a bound, and with the number of the line.

use std::io::{self, BufRead, Read};

/// The longest line or element that is read.
pub(super) const MAX_ITEM: usize = 16 << 20;

/// Fails where more than [`MAX_ITEM`] bytes come without [`Bounded::renew`].
#[derive(Debug)]
pub(super) struct Bounded<R> {
    reader: R,
    left: usize,
    /// The line of the next byte, from 1.
    line: u64,
    ended: bool,
}

impl<R: BufRead> Bounded<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, left: MAX_ITEM, line: 1, ended: false }
    }

    /// The next item begins.
    pub(super) const fn renew(&mut self) {
        self.left = MAX_ITEM;
    }

    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Whether the end was met.
    pub(super) const fn is_at_end(&self) -> bool {
        self.ended
    }

    /// Skips white space and a byte order mark; the first byte after them, `None` at the end.
    pub(super) fn first_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            let Some(byte) = self.fill_buf()?.first().copied() else { return Ok(None) };
            if !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf) {
                return Ok(Some(byte));
            }
            self.consume(1);
            self.renew();
        }
    }

    /// The next line without its end, in `line`; `None` at the end, `Some(false)` where the file ends
    /// before the line does.
    pub(super) fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
        line.clear();
        self.renew();
        if self.read_until(b'\n', line)? == 0 {
            return Ok(None);
        }
        let whole = line.last() == Some(&b'\n');
        Ok(Some(whole))
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            let message = format!("more than {} MiB without an end", MAX_ITEM >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let bytes = self.reader.fill_buf()?;
        self.ended = bytes.is_empty();
        Ok(&bytes[..bytes.len().min(self.left)])
    }

    fn consume(&mut self, amount: usize) {
        // What was filled is there to be looked at again.
        if let Ok(bytes) = self.reader.fill_buf() {
            let taken = &bytes[..amount.min(bytes.len())];
            self.line += taken.split(|byte| *byte == b'\n').skip(1).count() as u64;
        }
        self.left = self.left.saturating_sub(amount);
        self.reader.consume(amount);
    }
}
