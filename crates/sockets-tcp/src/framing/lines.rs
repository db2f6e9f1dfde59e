//! Frames that are lines.

use bytes::{BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::FrameError;

/// What ends a line that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LineEnding {
    /// A line feed.
    #[default]
    Lf,
    /// A carriage return and a line feed, as most Internet protocols have it.
    CrLf,
}

impl LineEnding {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// A codec of lines: bytes up to a line feed.
///
/// Reading takes both endings, LF and CR LF, and gives the line without its ending; writing puts
/// the [`LineEnding`] that is set. A last line without an ending is an error, since nobody knows
/// whether it is whole. Lines are bytes: whether they are text is the caller's affair.
#[derive(Clone, Debug)]
pub struct Lines {
    limit: usize,
    ending: LineEnding,
    /// How many bytes at the front are known to hold no line feed.
    searched: usize,
}

impl Lines {
    /// The longest line, unless set: 64 KiB.
    pub const DEFAULT_MAX_LENGTH: usize = 64 * 1024;

    /// Lines of at most 64 KiB, sent with LF.
    pub const fn new() -> Self {
        Self { limit: Self::DEFAULT_MAX_LENGTH, ending: LineEnding::Lf, searched: 0 }
    }

    /// The longest line in bytes, without its ending. Default:
    /// [`DEFAULT_MAX_LENGTH`](Self::DEFAULT_MAX_LENGTH).
    #[must_use]
    pub const fn max_length(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// What ends the lines that are sent. Default: [`LineEnding::Lf`].
    #[must_use]
    pub const fn ending(mut self, ending: LineEnding) -> Self {
        self.ending = ending;
        self
    }

    fn too_long(&self) -> FrameError {
        FrameError::LineTooLong { at_least: self.limit.saturating_add(1), limit: self.limit }
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder for Lines {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        // The longest line, and its CR LF. What lies behind is not looked at, so that the answer
        // does not depend on how much has come.
        let window = source.len().min(self.limit.saturating_add(2));
        let unsearched = source.get(self.searched..window).unwrap_or_default();
        let Some(found) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = window;
            return match source.get(self.limit) {
                None => Ok(None),
                Some(b'\r') if source.len() == self.limit + 1 => Ok(None),
                Some(_) => Err(self.too_long()),
            };
        };
        let mut line = source.split_to(self.searched + found + 1);
        self.searched = 0;
        line.truncate(line.len() - 1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.limit {
            return Err(self.too_long());
        }
        Ok(Some(line.freeze()))
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        match self.decode(source)? {
            None if source.is_empty() => Ok(None),
            None => Err(FrameError::Incomplete { len: source.len() }),
            line => Ok(line),
        }
    }
}

impl<T: AsRef<[u8]>> Encoder<T> for Lines {
    type Error = FrameError;

    fn encode(&mut self, line: T, out: &mut BytesMut) -> Result<(), FrameError> {
        let line = line.as_ref();
        if line.len() > self.limit {
            return Err(FrameError::TooLong { len: line.len() as u64, limit: self.limit });
        }
        let broken_at = line.iter().position(|byte| *byte == b'\n');
        let carriage_return = line.last() == Some(&b'\r');
        if let Some(at) = broken_at.or_else(|| carriage_return.then(|| line.len() - 1)) {
            return Err(FrameError::LineBreak { at });
        }
        let ending = self.ending.bytes();
        out.reserve(line.len() + ending.len());
        out.put_slice(line);
        out.put_slice(ending);
        Ok(())
    }
}
