//! Waiting for a few descriptors, for small uses; drivers poll theirs with everything else.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Waits until there is something to read from one of the descriptors, or an error to be told, and
/// says whether there is: `false` after `timeout`. A longer one than the system counts is no limit.
///
/// # Errors
///
/// What the kernel says of the wait; a signal ends nothing.
pub fn wait_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Duration,
) -> io::Result<bool> {
    let started = Instant::now();
    let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    loop {
        let rest = Timespec::try_from(timeout.saturating_sub(started.elapsed())).ok();
        match rustix::event::poll(&mut fds, rest.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn one_of_many_is_enough_and_none_is_not() {
        let (here, there) = UnixDatagram::pair().unwrap();
        let both = [here.as_fd(), there.as_fd()];
        assert!(!wait_readable(both, Duration::ZERO).unwrap());
        here.send(b"x").unwrap();
        assert!(wait_readable(both, Duration::MAX).unwrap());
        assert!(!wait_readable([here.as_fd()], Duration::ZERO).unwrap());
    }
}
