//! Copies of sockets in programs that are just being started.
//!
//! A thread that starts a program copies all descriptors of the process, until the program runs and
//! those that are close-on-exec are closed. A socket that this process bound and closed meanwhile is
//! still bound then, and whoever was told that its port is free could not have it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

/// How long a program may take to start. What has not closed its copies by then may never do so.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Made before sockets that are soon closed; whoever has copies of those has one of its pipe. (Of what
/// a process closes in one go, Linux lets the highest number go first: these are below.)
pub(crate) struct Copies {
    end_of_all: OwnedFd,
    copied: OwnedFd,
}

impl Copies {
    pub(crate) fn watch() -> io::Result<Self> {
        let (end_of_all, copied) = pipe_with(PipeFlags::CLOEXEC)?;
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

#[cfg(test)]
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
