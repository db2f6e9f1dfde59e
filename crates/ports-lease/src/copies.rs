//! Copies of sockets in programs that are just being started.
//!
//! A thread that starts a program copies all descriptors of the process, until the program runs and
//! those that are close-on-exec are closed. A socket that this process bound and closed meanwhile is
//! still bound then, and whoever was told that its port is free could not have it.

use std::io;
#[cfg(unix)]
use std::io::{PipeReader, PipeWriter, pipe};

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a program may take to start. What has not closed its copies by then may never do so.
#[cfg(unix)]
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Made before sockets that are soon closed; whoever has copies of those has one of its pipe. (Of what
/// a process closes in one go, Linux lets the highest number go first: these are below.)
#[cfg(unix)]
pub(crate) struct Copies {
    end_of_all: PipeReader,
    copied: PipeWriter,
}

#[cfg(unix)]
impl Copies {
    pub(crate) fn watch() -> io::Result<Self> {
        // Close-on-exec.
        let (end_of_all, copied) = pipe()?;
        Ok(Self { end_of_all, copied })
    }

    /// Whether nobody has any, once the sockets are closed here; waits for programs that start.
    pub(crate) fn are_gone(self) -> io::Result<bool> {
        let Self { end_of_all, copied } = self;
        drop(copied);
        loop {
            match poll(&mut [PollFd::new(&end_of_all, PollFlags::empty())], Some(&PATIENCE)) {
                Err(rustix::io::Errno::INTR) => {}
                ready => return Ok(ready? > 0),
            }
        }
    }
}

/// Where a program that is started gets no socket that was not meant for it.
#[cfg(not(unix))]
pub(crate) struct Copies;

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as where there may be copies")]
impl Copies {
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn are_gone(self) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_seen_until_it_is_closed() {
        assert!(Copies::watch().unwrap().are_gone().unwrap());
        let copies = Copies::watch().unwrap();
        let copy = copies.copied.try_clone().unwrap();
        assert!(!copies.are_gone().unwrap());
        drop(copy);
    }
}
