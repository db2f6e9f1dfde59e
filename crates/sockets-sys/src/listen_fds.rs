//! Descriptors that the starter of this process passed to it (`sd_listen_fds(3)`).

use std::env;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::FIRST_PASSED_DESCRIPTOR;
use crate::startup::was_passed;

/// Whether they were taken already: an owned descriptor has one owner.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A descriptor that was passed, and its name where `LISTEN_FDNAMES` has one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inherited {
    /// The descriptor; it is closed in programs that this one starts.
    pub fd: OwnedFd,
    /// What its passer calls it.
    pub name: Option<String>,
}

/// Why descriptors that were passed cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InheritError {
    /// They were taken before, and belong to whoever did.
    #[error("the inherited descriptors were taken already: they can be taken once")]
    Taken,
    /// `LISTEN_PID` or `LISTEN_FDS` is no number, or one that cannot be.
    #[error("cannot read {variable}={value:?}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// A descriptor that `LISTEN_FDS` counts is not open.
    #[error("cannot take descriptor {fd}, which LISTEN_FDS counts")]
    NotOpen {
        /// The descriptor.
        fd: RawFd,
        /// What the kernel said.
        source: io::Error,
    },
    /// A descriptor that `LISTEN_FDS` counts was not open when this process began, or is closed in
    /// programs that it starts: this process has opened it, or somebody in it has taken it.
    #[error(
        "descriptor {fd}, which LISTEN_FDS counts, was not passed, or belongs to somebody here"
    )]
    NotPassed {
        /// The descriptor.
        fd: RawFd,
    },
}

/// Takes the descriptors that the starter of this process passed to it: 3 and following, as many as
/// `LISTEN_FDS` says, where `LISTEN_PID` is this process. None where it is another, or neither is
/// set. They can be taken once; where this fails, none is taken.
///
/// The variables stay as they are: to unset them is not safe while other threads run. Programs that
/// this one starts see a `LISTEN_PID` that is not theirs.
///
/// Taken is what was open before `main`, and is not close-on-exec: the first that this crate has noted
/// then, the second what everything is that Rust opens, and what was taken before.
///
/// # Errors
///
/// [`InheritError`]: what cannot be read or taken.
pub fn inherited_descriptors() -> Result<Vec<Inherited>, InheritError> {
    let variable = |name| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let announced = Announced::parse(
        variable("LISTEN_PID").as_deref(),
        variable("LISTEN_FDS").as_deref(),
        variable("LISTEN_FDNAMES").as_deref(),
        std::process::id(),
    )?;
    if announced.names.is_empty() {
        return Ok(Vec::new());
    }
    if TAKEN.swap(true, Ordering::AcqRel) {
        return Err(InheritError::Taken);
    }
    take(announced).inspect_err(|_| TAKEN.store(false, Ordering::Release))
}

fn take(announced: Announced) -> Result<Vec<Inherited>, InheritError> {
    // All are looked at before one is owned: what is owned is closed when it is dropped.
    for fd in (FIRST_PASSED_DESCRIPTOR..).take(announced.names.len()) {
        // SAFETY: the call takes numbers only, and fails on one that is not open.
        match unsafe { libc::fcntl(fd, libc::F_GETFD) } {
            -1 => return Err(InheritError::NotOpen { fd, source: io::Error::last_os_error() }),
            0 if was_passed(fd) => {}
            _ => return Err(InheritError::NotPassed { fd }),
        }
    }
    let owned = (FIRST_PASSED_DESCRIPTOR..).zip(announced.names).map(|(fd, name)| {
        // SAFETY: the call takes numbers only.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        // SAFETY: it was open before `main`, and is not close-on-exec, as the loop above found: so it
        // is not what Rust has opened since, nor what another taker of such descriptors has marked as
        // its own, and `TAKEN` lets this be reached once: it has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Inherited { fd, name }
    });
    Ok(owned.collect())
}

/// The names of what was passed, one for each descriptor.
#[derive(Debug, PartialEq, Eq)]
struct Announced {
    names: Vec<Option<String>>,
}

impl Announced {
    fn parse(
        pid: Option<&str>,
        fds: Option<&str>,
        names: Option<&str>,
        own_pid: u32,
    ) -> Result<Self, InheritError> {
        let none = Self { names: Vec::new() };
        let (Some(pid), Some(fds)) = (pid, fds) else { return Ok(none) };
        let wrong =
            |variable, value: &str| InheritError::Variable { variable, value: value.to_owned() };
        if pid.parse::<u32>().map_err(|_| wrong("LISTEN_PID", pid))? != own_pid {
            return Ok(none);
        }
        // More than 16 bits of descriptors are a mistake, not a list to make.
        let count = fds.parse::<u16>().map_err(|_| wrong("LISTEN_FDS", fds))?;
        let named = names.unwrap_or_default().split(':');
        let names = named.map(|name| (!name.is_empty()).then(|| name.to_owned()));
        let names = names.chain(std::iter::repeat(None)).take(count.into()).collect();
        Ok(Self { names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pid: &str, fds: &str, names: Option<&str>) -> Result<Vec<Option<String>>, String> {
        let announced = Announced::parse(Some(pid), Some(fds), names, 42);
        announced.map(|announced| announced.names).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_for_this_process_is_counted_and_named() {
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(parse("42", "2", None), Ok(vec![None, None]));
        assert_eq!(parse("42", "2", Some("web:metrics")), Ok(vec![name("web"), name("metrics")]));
        assert_eq!(parse("42", "2", Some("web")), Ok(vec![name("web"), None]));
        assert_eq!(parse("42", "2", Some(":metrics")), Ok(vec![None, name("metrics")]));
        assert_eq!(parse("42", "0", Some("web")), Ok(vec![]));
    }

    #[test]
    fn what_is_for_another_process_is_left_alone() {
        assert_eq!(parse("41", "2", None), Ok(vec![]));
        assert_eq!(Announced::parse(None, Some("2"), None, 42).unwrap().names, []);
        assert_eq!(Announced::parse(Some("42"), None, None, 42).unwrap().names, []);
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!(parse("42", "-1", None).unwrap_err(), "cannot read LISTEN_FDS=\"-1\"");
        assert_eq!(parse("x", "1", None).unwrap_err(), "cannot read LISTEN_PID=\"x\"");
        assert!(parse("42", "70000", None).is_err());
    }

    /// Set for the copy of a test that something is passed to, or nothing.
    const ASKED: &str = "PORTS_TEST_LISTEN_FDS";

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn what_this_process_opened_itself_is_not_taken() {
        let name = "listen_fds::tests::what_this_process_opened_itself_is_not_taken";
        let announced = || Announced { names: vec![None] };
        if let Some(mode) = env::var_os(ASKED) {
            // It has number 3 where nothing was passed.
            let own = std::fs::File::open("/dev/null").unwrap();
            let answer = match (mode.to_str(), take(announced())) {
                (Some("nothing"), Err(InheritError::NotPassed { fd: 3 })) => 7,
                // Whoever has it now marks it as taken.
                (Some("passed"), Ok(_taken)) => match take(announced()) {
                    Err(InheritError::NotPassed { fd: 3 }) => 7,
                    _ => 9,
                },
                _ => 8,
            };
            drop(own);
            std::process::exit(answer);
        }
        for (mode, third) in [("nothing", "3<&-"), ("passed", "3</dev/null")] {
            let status = std::process::Command::new("sh")
                .args(["-c", &format!("exec \"$0\" \"$@\" {third}")])
                .arg(env::current_exe().unwrap())
                .args(["--exact", name, "--nocapture"])
                .env(ASKED, mode)
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(7), "{mode}");
        }
    }
}
