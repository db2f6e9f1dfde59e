//! Descriptors for the program that a `Command` starts, or that this process becomes.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

/// The number of the first descriptor handed over by position (`SD_LISTEN_FDS_START` of
/// `sd_listen_fds(3)`): after the three standard streams.
pub const FIRST_PASSED_DESCRIPTOR: RawFd = 3;

/// Lets the program that `command` starts keep these descriptors open, under the numbers that they
/// have. Other programs that this process starts do not get them: they stay close-on-exec here.
///
/// They are held by the command, so they stay open at least as long as that.
pub fn keep_open(command: &mut Command, kept: Vec<OwnedFd>) {
    let clear = move || kept.iter().try_for_each(|fd| checked(set_flags(fd.as_raw_fd(), 0)));
    // SAFETY: between fork and exec the closure only calls fcntl, which is async-signal-safe
    // (signal-safety(7)); it neither allocates nor locks. The numbers are those of open
    // descriptors that the closure owns.
    unsafe {
        command.pre_exec(clear);
    }
}

/// Becomes the program of `command` (execve(2)), which keeps `kept` open under any number, and has
/// `passed` as 3, 4 and so on, whatever was there before: that is where `sd_listen_fds(3)` looks.
///
/// It takes no further descriptors, but for those at numbers that `passed` goes to.
///
/// Returns only where that failed; then no descriptor of this process has changed, and none did
/// meanwhile: they are moved on a thread of its own, in a table of descriptors that only that thread
/// has. `command` is of no use after, and until it is dropped keeps `kept` and `passed` open.
///
/// Record locks (fcntl(2), `F_SETLK`) belong to the table that this process had, and are lost; those
/// of flock(2) and of `F_OFD_SETLK` are not.
///
/// # Errors
///
/// The value returned is the error, which says what failed.
#[must_use = "there is a value only where it failed"]
pub fn exec_with(command: &mut Command, kept: Vec<OwnedFd>, passed: Vec<OwnedFd>) -> ExecError {
    let stage = Arc::new(AtomicU8::new(UNUSED));
    let handover = Handover { kept, passed, stage: Arc::clone(&stage) };
    // SAFETY: after a fork the closure only looks at an atomic, since the stage is `MOVES` only while
    // the thread below is in `exec`, which does not fork: there it may do what any code may. That
    // thread has a table of its own by then: nobody else sees the numbers that are overwritten.
    unsafe {
        command.pre_exec(move || handover.carry_out());
    }
    thread::scope(|scope| {
        let become_it = move || {
            if let Err(error) = own_table() {
                return ExecError::Descriptors(error);
            }
            stage.store(MOVES, Ordering::Relaxed);
            let error = command.exec();
            match stage.swap(USED, Ordering::Relaxed) {
                FAILED => ExecError::Descriptors(error),
                _ => ExecError::Program(error),
            }
        };
        match thread::Builder::new().spawn_scoped(scope, become_it) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => ExecError::Thread(error),
        }
    })
}

/// Why a process did not become a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// There is no thread to be had that could become it. The program was not tried.
    #[error("cannot start a thread to become the program")]
    Thread(#[source] io::Error),
    /// Its descriptors could not be put in their places: there may be too few of them. The program was
    /// not tried.
    #[error("cannot move descriptors to where they are passed")]
    Descriptors(#[source] io::Error),
    /// The program could not be run: `NotFound` where there is none, any other of execve(2).
    #[error("cannot become the program")]
    Program(#[source] io::Error),
}

/// What a [`Handover`] is at.
const UNUSED: u8 = 0;
/// Its thread has a table of descriptors of its own.
const MOVES: u8 = 1;
/// It could not move them.
const FAILED: u8 = 2;
const USED: u8 = 3;

/// What the program gets.
struct Handover {
    kept: Vec<OwnedFd>,
    passed: Vec<OwnedFd>,
    stage: Arc<AtomicU8>,
}

impl Handover {
    fn carry_out(&self) -> io::Result<()> {
        if self.stage.load(Ordering::Relaxed) != MOVES {
            // The command is used again, where others share the descriptors.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.place().inspect_err(|_| self.stage.store(FAILED, Ordering::Relaxed))
    }

    /// The duplicates made here are nobody's: they end with the table, or are the program's.
    fn place(&self) -> io::Result<()> {
        let count = RawFd::try_from(self.passed.len()).unwrap_or(RawFd::MAX);
        let end = FIRST_PASSED_DESCRIPTOR.saturating_add(count);
        for fd in &self.kept {
            match fd.as_raw_fd() {
                number if number < end => _ = duplicate(number, libc::F_DUPFD, end)?,
                number => checked(set_flags(number, 0))?,
            }
        }
        // All out of the way before the first number is overwritten.
        let away = |fd: &OwnedFd| match fd.as_raw_fd() {
            number if number < end => duplicate(number, libc::F_DUPFD_CLOEXEC, end),
            number => Ok(number),
        };
        let away: Vec<RawFd> = self.passed.iter().map(away).collect::<io::Result<_>>()?;
        for (number, fd) in (FIRST_PASSED_DESCRIPTOR..).zip(away) {
            // SAFETY: no memory is involved, and the table is this thread's alone; see `exec_with`.
            checked(unsafe { libc::dup2(fd, number) })?;
        }
        Ok(())
    }
}

/// Gives the calling thread a copy of the table of descriptors that the process's other threads go on
/// sharing. To be called on a thread that ends, or becomes a program, soon after: what it opens and
/// closes from now on, nobody else does.
fn own_table() -> io::Result<()> {
    // SAFETY: no memory is involved. An `OwnedFd` that this thread would close here stays open for
    // the others, and the other way round; its one caller owns none across the call.
    let unshared = checked(unsafe { libc::unshare(libc::CLONE_FILES) });
    unshared.or_else(|error| {
        // Containers may refuse unshare(2), whatever it is for. This one closes the last number, which
        // is never open.
        let last = libc::c_uint::MAX;
        // SAFETY: as above.
        let result = unsafe { libc::syscall(libc::SYS_close_range, last, last, UNSHARE) };
        if result == 0 { Ok(()) } else { Err(error) }
    })
}

/// `CLOSE_RANGE_UNSHARE` of `linux/close_range.h`.
const UNSHARE: libc::c_uint = 1 << 1;

/// The number of a duplicate of `least` or above, which nobody owns yet.
fn duplicate(fd: RawFd, how: c_int, least: RawFd) -> io::Result<RawFd> {
    // SAFETY: no memory is involved, and any number may be duplicated.
    let duplicate = unsafe { libc::fcntl(fd, how, least) };
    checked(duplicate)?;
    Ok(duplicate)
}

fn set_flags(fd: RawFd, flags: c_int) -> c_int {
    // SAFETY: F_SETFD takes an integer and touches no memory.
    unsafe { libc::fcntl(fd, libc::F_SETFD, flags) }
}

fn checked(result: c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
