//! Waiting for one descriptor, for small uses; drivers poll theirs with everything else.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Waits until there is something to read or an error to be told; `false` after `timeout`.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    let started = Instant::now();
    loop {
        // A duration past what the system counts is as good as for ever: `None`.
        let rest = Timespec::try_from(timeout.saturating_sub(started.elapsed())).ok();
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, rest.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
