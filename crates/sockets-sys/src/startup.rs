//! What the process was started with, before Rust's runtime changes it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};

use crate::FIRST_PASSED_DESCRIPTOR;

/// A bit for each standard stream that was closed, by number.
static CLOSED: AtomicU8 = AtomicU8::new(0);
/// The first number from [`FIRST_PASSED_DESCRIPTOR`] on that was not open.
static END_OF_PASSED: AtomicI32 = AtomicI32::new(FIRST_PASSED_DESCRIPTOR);
/// A bit for each signal that was blocked, by number less 1.
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// A bit for each of [`CHANGED`] that was ignored, by its place there.
static IGNORED: AtomicU8 = AtomicU8::new(0);

/// What the runtime ignores, and what [`outlive_file_size_limit`](crate::outlive_file_size_limit) handles.
const CHANGED: [libc::c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

/// Numbers from this on are not passed by position: `LISTEN_FDS` is taken up to 16 bits.
const END_OF_PASSABLE: RawFd = FIRST_PASSED_DESCRIPTOR + u16::MAX as RawFd;

/// Signals of Linux: 1 to 64.
const LAST_SIGNAL: libc::c_int = 64;

/// Whether standard output was closed when the process was started.
///
/// Rust's runtime opens `/dev/null` in its place before `main`, so that what is written is lost and
/// nobody is told. This is looked up before that.
pub fn standard_output_was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed) & (1 << libc::STDOUT_FILENO) != 0
}

/// Whether a descriptor that can be passed by position was open before `main`, and so were those before
/// it: its starter passed it, or at least nothing written in Rust has opened it.
pub(crate) fn was_passed(fd: RawFd) -> bool {
    (FIRST_PASSED_DESCRIPTOR..END_OF_PASSED.load(Ordering::Relaxed)).contains(&fd)
}

/// Lets the program that this process becomes by `command` start as this process did, in what Rust's
/// runtime and this crate change: SIGPIPE and SIGXFSZ ignored, signals blocked, standard streams closed.
pub fn as_started(command: &mut Command) {
    // SAFETY: the closure calls only sigaction, pthread_sigmask and close, which are
    // async-signal-safe (signal-safety(7)), and functions that fill a set of signals in its own
    // memory; it neither allocates nor locks.
    unsafe {
        command.pre_exec(restore);
    }
}

fn restore() -> io::Result<()> {
    let ignored = IGNORED.load(Ordering::Relaxed);
    for (_, signal) in (0..).zip(CHANGED).filter(|(place, _)| ignored & (1 << place) != 0) {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let blocked = BLOCKED.load(Ordering::Relaxed);
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: there is room for a set, and it is made one before a signal is added; numbers that are
    // none are refused. The set is not written to any more when the kernel reads it.
    let result = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in (1..=LAST_SIGNAL).filter(|signal| blocked & (1 << (signal - 1)) != 0) {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut())
    };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    let closed = CLOSED.load(Ordering::Relaxed);
    for stream in (0..=libc::STDERR_FILENO).filter(|stream| closed & (1 << stream) != 0) {
        // SAFETY: what stands there was opened by the runtime in place of nothing; nobody owns it.
        unsafe { libc::close(stream) };
    }
    Ok(())
}

extern "C" fn look() {
    let mut closed = 0;
    for stream in 0..=libc::STDERR_FILENO {
        // SAFETY: F_GETFD reads no memory, and any number may be asked about.
        if unsafe { libc::fcntl(stream, libc::F_GETFD) } == -1 {
            closed |= 1 << stream;
        }
    }
    CLOSED.store(closed, Ordering::Relaxed);
    let mut end = FIRST_PASSED_DESCRIPTOR;
    // What has a flag, which is close-on-exec, was opened by the loader or by a library.
    // SAFETY: as above.
    while end < END_OF_PASSABLE && unsafe { libc::fcntl(end, libc::F_GETFD) } == 0 {
        end += 1;
    }
    END_OF_PASSED.store(end, Ordering::Relaxed);

    let mut ignored = 0;
    for (place, signal) in (0..).zip(CHANGED) {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: nothing is changed, and there is room for what is told; all of it may be zero.
        let action = unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            action.assume_init()
        };
        ignored |= u8::from(action.sa_sigaction == libc::SIG_IGN) << place;
    }
    IGNORED.store(ignored, Ordering::Relaxed);

    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    let mut blocked = 0;
    // SAFETY: nothing is changed, and there is room for a set, which is one before it is filled.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), set.as_mut_ptr());
        for signal in 1..=LAST_SIGNAL {
            if libc::sigismember(set.as_ptr(), signal) == 1 {
                blocked |= 1 << (signal - 1);
            }
        }
    }
    BLOCKED.store(blocked, Ordering::Relaxed);
}

// SAFETY: the loader calls what this section points to once, before `main`, as C functions. `look` is
// one, and needs nothing of Rust's runtime: it allocates nothing, cannot panic, and stores to an atomic.
// Not under Miri, which knows no signals.
#[cfg_attr(not(miri), used)]
#[cfg_attr(not(miri), unsafe(link_section = ".init_array"))]
#[cfg_attr(miri, expect(dead_code, reason = "nobody else calls it"))]
static LOOK: extern "C" fn() = look;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set for the copy of this test that is started with another standard output.
    const ASKED: &str = "PORTS_TEST_STANDARD_OUTPUT";

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn a_closed_standard_output_is_told_from_one_to_nowhere() {
        if std::env::var_os(ASKED).is_some() {
            std::process::exit(if standard_output_was_closed() { 3 } else { 4 });
        }
        let name = "startup::tests::a_closed_standard_output_is_told_from_one_to_nowhere";
        // `<>` opens for reading and writing, as the runtime does.
        for (output, code) in [(">&-", 3), (">/dev/null", 4), ("1<>/dev/null", 4)] {
            let status = Command::new("sh")
                .args(["-c", &format!("exec \"$0\" \"$@\" {output}")])
                .arg(std::env::current_exe().unwrap())
                .args(["--exact", name, "--nocapture"])
                .env(ASKED, "1")
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(code), "{output}");
        }
    }
}
