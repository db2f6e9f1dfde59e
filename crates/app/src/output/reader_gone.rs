//! A reader that has read enough.

use std::io::{self, Write};

/// Marks the error of writing to a pipe that nobody reads any more (`| head -1`): no failure of the
/// command. A connection whose peer is gone fails with the same number (`EPIPE`), and is one.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads it any more")]
pub(crate) struct ReaderGone;

impl ReaderGone {
    /// Marks what an output said, where it says that nobody reads.
    pub(crate) fn mark(error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::BrokenPipe {
            io::Error::new(io::ErrorKind::BrokenPipe, Self)
        } else {
            error
        }
    }

    pub(crate) fn is_marked_on(error: &io::Error) -> bool {
        matches!(error.get_ref(), Some(inner) if inner.is::<Self>())
    }
}

/// An output whose errors are marked.
#[derive(Debug)]
pub(crate) struct Marked<W>(pub(crate) W);

impl<W: Write> Write for Marked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(ReaderGone::mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(ReaderGone::mark)
    }
}
