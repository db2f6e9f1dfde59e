//! A reader that has read enough.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

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

/// Cancels `stop` as soon as nobody reads `output` any more, where it is a pipe or a socket: whoever has
/// read enough does not wait for the next line of a command that has none to say. Without a thread to
/// look, the next line tells.
pub(crate) fn stop_when_gone(output: impl AsFd + Send + 'static, stop: &CancellationToken) {
    if !has_reader(&output) {
        return;
    }
    let stop = stop.clone();
    let watch = move || {
        // What a poll of nothing tells is an error, or that the other end is closed (poll(2)).
        let mut polled = [PollFd::new(&output, PollFlags::empty())];
        while matches!(poll(&mut polled, None), Ok(0) | Err(Errno::INTR)) {}
        if !polled[0].revents().is_empty() {
            stop.cancel();
        }
    };
    // It ends with the process.
    let started = thread::Builder::new().name("standard output".to_owned()).spawn(watch);
    if let Err(error) = started {
        tracing::debug!(%error, "the reader of the output is not watched");
    }
}

/// Whether it is of those whose reader can be seen to leave. That of a terminal sends a signal.
fn has_reader(output: &impl AsFd) -> bool {
    let kind = fstat(output).map(|file| FileType::from_raw_mode(file.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::Socket))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_reader_that_leaves_stops_and_one_that_stays_does_not() {
        let (stays, left) = (CancellationToken::new(), CancellationToken::new());
        let (reader, writer) = std::io::pipe().unwrap();
        let (of_stream, stream) = UnixStream::pair().unwrap();
        stop_when_gone(writer, &stays);
        stop_when_gone(stream, &left);
        drop(of_stream);
        left.cancelled().await;
        assert!(!stays.is_cancelled());
        drop(reader);
        stays.cancelled().await;
    }

    #[test]
    fn a_file_has_no_reader_to_leave() {
        assert!(!has_reader(&tempfile::tempfile().unwrap()));
        assert!(has_reader(&std::io::pipe().unwrap().1));
    }
}
