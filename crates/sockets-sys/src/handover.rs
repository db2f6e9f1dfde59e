//! Descriptors for the program that a `Command` starts, or that this process becomes.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

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
/// Returns only where that failed; what else stood at 3, 4 and so on is there again. Meanwhile it is
/// not, so no other thread should be using any. `command` is of no use after, and until it is dropped
/// keeps `kept` and `passed` open.
///
/// # Errors
///
/// The value returned is the error, which says what failed.
#[must_use = "there is a value only where it failed"]
pub fn exec_with(command: &mut Command, kept: Vec<OwnedFd>, passed: Vec<OwnedFd>) -> ExecError {
    match Handover::prepare(kept, passed) {
        Ok((handover, saved)) => {
            // SAFETY: as in `keep_open`; dup2 is async-signal-safe, too. What it puts aside is
            // kept in `saved`, and put back below before anybody can use those numbers again.
            unsafe {
                command.pre_exec(move || handover.carry_out());
            }
            let error = command.exec();
            saved.restore();
            ExecError::Program(error)
        }
        Err(error) => ExecError::Descriptors(error),
    }
}

/// Why a process did not become a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// Its descriptors could not be put aside: there may be too few of them. The program was not tried.
    #[error("cannot move descriptors to where they are passed")]
    Descriptors(#[source] io::Error),
    /// The program could not be run: `NotFound` where there is none, any other of execve(2).
    #[error("cannot become the program")]
    Program(#[source] io::Error),
}

/// All beyond the numbers that `passed` goes to, so that none is overwritten before its turn.
struct Handover {
    kept: Vec<OwnedFd>,
    passed: Vec<OwnedFd>,
}

impl Handover {
    fn prepare(kept: Vec<OwnedFd>, passed: Vec<OwnedFd>) -> io::Result<(Self, Saved)> {
        let count = RawFd::try_from(passed.len()).unwrap_or(RawFd::MAX);
        let end = FIRST_PASSED_DESCRIPTOR.saturating_add(count);
        let above = |fds: Vec<OwnedFd>| -> io::Result<Vec<OwnedFd>> {
            let above = |fd: OwnedFd| match fd.as_raw_fd() {
                number if number < end => duplicate(number, end),
                _ => Ok(fd),
            };
            fds.into_iter().map(above).collect()
        };
        let handover = Self { kept: above(kept)?, passed: above(passed)? };
        let saved = (FIRST_PASSED_DESCRIPTOR..end).map(Place::look).collect::<io::Result<_>>()?;
        Ok((handover, Saved(saved)))
    }

    fn carry_out(&self) -> io::Result<()> {
        self.kept.iter().try_for_each(|fd| checked(set_flags(fd.as_raw_fd(), 0)))?;
        for (number, fd) in (FIRST_PASSED_DESCRIPTOR..).zip(&self.passed) {
            // SAFETY: no memory is involved; see `exec_with` for whose number is overwritten.
            checked(unsafe { libc::dup2(fd.as_raw_fd(), number) })?;
        }
        Ok(())
    }
}

/// What stood at the numbers that are overwritten.
struct Saved(Vec<Place>);

struct Place {
    number: RawFd,
    /// A duplicate and its flags; none where the number was free.
    was: Option<(OwnedFd, i32)>,
}

impl Place {
    fn look(number: RawFd) -> io::Result<Self> {
        // SAFETY: F_GETFD reads no memory, and any number may be asked about.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        let was = match flags {
            -1 => None,
            flags => Some((duplicate(number, number + 1)?, flags)),
        };
        Ok(Self { number, was })
    }
}

impl Saved {
    fn restore(self) {
        for Place { number, was } in self.0 {
            // SAFETY: the number belongs to what `was` is a duplicate of, or else to nobody but
            // the handover, which is over.
            unsafe {
                match was {
                    Some((fd, flags)) => {
                        libc::dup2(fd.as_raw_fd(), number);
                        set_flags(number, flags);
                    }
                    None => {
                        libc::close(number);
                    }
                }
            }
        }
    }
}

/// A close-on-exec duplicate with a number of `least` or above.
fn duplicate(fd: RawFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved, and any number may be duplicated.
    let duplicate = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) };
    checked(duplicate)?;
    // SAFETY: the kernel just made it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}

fn set_flags(fd: RawFd, flags: i32) -> i32 {
    // SAFETY: F_SETFD takes an integer and touches no memory.
    unsafe { libc::fcntl(fd, libc::F_SETFD, flags) }
}

fn checked(result: i32) -> io::Result<()> {
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
}
