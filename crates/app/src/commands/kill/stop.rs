//! Waiting for a process, until the user wants no more of it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::exit::{self, Exit};
use crate::signals::Signals;

/// How a wait came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// The process has ended.
    Ended,
    /// The time is over.
    InVain,
    /// The user wants no more of it.
    Stopped,
}

/// From now on a signal stops the waiting instead of ending this process.
pub(super) struct Stop {
    signals: Signals,
    /// At its end once a signal has come.
    wish: UnixStream,
    /// Hears the signals, on a thread of its own.
    _runtime: Runtime,
}

impl Stop {
    /// Cancels `stopped` then, too.
    pub(super) fn listen(stopped: CancellationToken) -> anyhow::Result<Self> {
        exit::check_descriptors()?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context("cannot start the runtime")?;
        let (wish, told) = UnixStream::pair().context("cannot listen to signals")?;
        let signals = {
            let _entered = runtime.enter();
            Signals::listen().context("cannot listen to signals")?
        };
        let stop = signals.stop().clone();
        runtime.spawn(async move {
            stop.cancelled().await;
            stopped.cancel();
            drop(told);
        });
        Ok(Self { signals, wish, _runtime: runtime })
    }

    pub(super) fn is_wished(&self) -> bool {
        self.signals.stop().is_cancelled()
    }

    /// How the command ends: `exit`, unless a signal stopped it.
    pub(super) fn or_interrupted(&self, exit: Exit) -> Exit {
        self.signals.or_interrupted(exit)
    }

    /// Waits for the end of a process: its descriptor is readable then (`pidfd_open(2)`).
    pub(super) fn wait_for(&self, process: &OwnedFd, most: Duration) -> io::Result<Waited> {
        let [has_ended, is_stopped] = wait(&[process.as_fd(), self.wish.as_fd()], most)?;
        Ok(match (has_ended, is_stopped) {
            (true, _) => Waited::Ended,
            (false, true) => Waited::Stopped,
            (false, false) => Waited::InVain,
        })
    }

    /// Lets so much time pass, or less where the user wants no more of it.
    pub(super) fn pass(&self, time: Duration) -> io::Result<()> {
        wait(&[self.wish.as_fd()], time).map(|_| ())
    }
}

/// Which of these are readable, or at their end, once one is or the time is over.
fn wait<const N: usize>(descriptors: &[impl AsFd; N], most: Duration) -> io::Result<[bool; N]> {
    let started = Instant::now();
    let mut polled = descriptors.each_ref().map(|fd| PollFd::new(fd, PollFlags::IN));
    loop {
        let left = most.saturating_sub(started.elapsed());
        // A time that the kernel's type cannot hold is as good as for ever.
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match poll(&mut polled, Some(&left)) {
            Ok(_) => return Ok(polled.map(|fd| !fd.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
