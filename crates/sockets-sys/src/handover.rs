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
mod tests {
    use std::io::Read as _;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixStream;
    use std::process::Stdio;

    use super::*;

    /// Set for the copy of a test that is to become another program.
    const CHILD: &str = "PORTS_TEST_EXEC";

    #[test]
    fn a_started_program_keeps_what_it_is_given_and_others_do_not() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let number = there.as_raw_fd();
        let look = format!("test -e /proc/self/fd/{number}");
        let mut other = Command::new("sh");
        assert!(!other.args(["-c", &look]).status().unwrap().success());

        let mut command = Command::new("sh");
        command.args(["-c", &format!("{look} && echo kept >&{number}")]);
        keep_open(&mut command, vec![there.into()]);
        assert!(command.status().unwrap().success());
        drop(command);
        let mut said = String::new();
        here.read_to_string(&mut said).unwrap();
        assert_eq!(said, "kept\n");
    }

    fn copy(test: &str, mode: &str) -> std::process::Output {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("handover::tests::{test}"), "--nocapture"])
            .env(CHILD, mode)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn the_program_becomes_another_with_its_sockets_from_three_on() {
        if std::env::var_os(CHILD).is_some() {
            let first: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
            let (second, kept) = UnixStream::pair().unwrap();
            let mut command = Command::new("sh");
            let kind = |number: i32| format!("readlink /proc/self/fd/{number}");
            command.args(["-c", &format!("{} && {} && echo both", kind(3), kind(4))]);
            let error = exec_with(&mut command, vec![kept.into()], vec![first, second.into()]);
            eprintln!("{error}");
            std::process::exit(9);
        }
        let output = copy("the_program_becomes_another_with_its_sockets_from_three_on", "exec");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("both"), "{text} {}", String::from_utf8_lossy(&output.stderr));
        assert!(text.matches("socket:[").count() >= 2, "{text}");
    }

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn what_stood_there_is_back_where_there_is_no_such_program() {
        if std::env::var_os(CHILD).is_some() {
            let target = |number| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
            // Of what is passed, one is below and one above a number that something else has.
            let mut passed: Vec<OwnedFd> = vec![UdpSocket::bind("127.0.0.1:0").unwrap().into()];
            let other = std::fs::File::open("/dev/null").unwrap();
            let number = other.as_raw_fd();
            let meant = usize::try_from(number - FIRST_PASSED_DESCRIPTOR).unwrap() + 1;
            passed.resize_with(meant, || UdpSocket::bind("127.0.0.1:0").unwrap().into());
            let error = exec_with(&mut Command::new("/no/such/program"), Vec::new(), passed);
            let same = target(number) == Some("/dev/null".into());
            let not_found = matches!(
                error,
                ExecError::Program(error) if error.kind() == io::ErrorKind::NotFound
            );
            std::process::exit(if same && not_found { 7 } else { 8 });
        }
        let output = copy("what_stood_there_is_back_where_there_is_no_such_program", "fail");
        assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn after_a_failure_all_descriptors_are_as_they_were() {
        if std::env::var_os(CHILD).is_some() {
            // One number that is somebody's, the next ones free, and what is passed beyond.
            let other = std::fs::File::open("/dev/null").unwrap();
            let number = other.as_raw_fd();
            let count = usize::try_from(number - FIRST_PASSED_DESCRIPTOR).unwrap() + 3;
            let beyond = || {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                rustix::io::fcntl_dupfd_cloexec(&socket, number + 100).unwrap()
            };
            let kept = beyond();
            let (was_free, kept_number) = (number + 1, kept.as_raw_fd());
            let passed = (0..count).map(|_| beyond()).collect();
            let look = |number| {
                let target = std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
                // SAFETY: F_GETFD reads no memory, and any number may be asked about.
                (target, unsafe { libc::fcntl(number, libc::F_GETFD) })
            };
            let looks = || [number, was_free, kept_number].map(look);
            let before = looks();
            let mut command = Command::new("/no/such/program");
            let error = exec_with(&mut command, vec![kept], passed);
            assert!(matches!(error, ExecError::Program(_)), "{error:?}");
            let after = looks();
            eprintln!("{before:?}\n{after:?}");
            std::process::exit(if before == after { 7 } else { 8 });
        }
        let output = copy("after_a_failure_all_descriptors_are_as_they_were", "fail");
        assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn a_thread_moves_descriptors_in_a_table_of_its_own() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let number = file.as_raw_fd();
        let target = || std::fs::read_link(format!("/proc/thread-self/fd/{number}")).ok();
        thread::scope(|scope| {
            let overwrite = || {
                own_table().unwrap();
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                // SAFETY: the table is this thread's, and `file` in it is not used any more.
                checked(unsafe { libc::dup2(socket.as_raw_fd(), number) }).unwrap();
                target()
            };
            let there = scope.spawn(overwrite).join().unwrap().unwrap();
            assert!(there.to_string_lossy().starts_with("socket:"), "{there:?}");
        });
        assert_eq!(target(), Some("/dev/null".into()));
    }

    #[test]
    fn a_command_that_failed_moves_nothing_when_it_is_used_again() {
        let socket: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        let mut command = Command::new("/no/such/program");
        let error = exec_with(&mut command, Vec::new(), vec![socket]);
        assert!(matches!(error, ExecError::Program(_)), "{error:?}");
        assert_eq!(command.exec().kind(), io::ErrorKind::InvalidInput);
    }
}
