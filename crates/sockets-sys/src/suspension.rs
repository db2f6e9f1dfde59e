//! Stopping as SIGTSTP does by default, in a process that handles that signal.

use std::io;
use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held while another disposition is in the place of the process's own: a second one put there meanwhile
/// would bring back the first.
static REPLACED: Mutex<()> = Mutex::new(());

/// Whether SIGTSTP is ignored: whoever started this process does not want it to be stopped, and it has
/// to leave that so.
///
/// # Errors
///
/// What the kernel says.
pub fn suspension_is_ignored() -> io::Result<bool> {
    exchange(None).map(|before| before.sa_sigaction == libc::SIG_IGN)
}

/// Stops this process, as SIGTSTP does by default, and returns once it goes on. Nothing is stopped, and
/// it returns at once, where SIGTSTP is ignored, or where nobody could let the process go on: its group
/// is orphaned (setpgid(2)). What handles SIGTSTP before does so afterwards.
///
/// All threads stop. SIGTSTP must not be blocked in the one that calls. Of several that call at once,
/// each stops the process in its turn.
///
/// # Errors
///
/// What the kernel says.
pub fn suspend_process() -> io::Result<()> {
    let by_default = Replaced::by(libc::SIG_DFL)?;
    if by_default.before.sa_sigaction == libc::SIG_IGN {
        return Ok(());
    }
    // To this thread, so that it has stopped before the call returns: another thread might take a signal
    // of the process after its handler is back.
    // SAFETY: it only sends a signal, whose disposition is the kernel's own.
    let result = unsafe { libc::raise(libc::SIGTSTP) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Stops all that the shell runs as one job, the process group of this process, as the terminal does at
/// Ctrl-Z; for this process as [`suspend_process`].
///
/// # Errors
///
/// What the kernel says.
pub fn suspend_process_group() -> io::Result<()> {
    // To the others: this one's turn comes when they have got theirs.
    let ignored = Replaced::by(libc::SIG_IGN)?;
    // SAFETY: it only sends a signal.
    let result = unsafe { libc::kill(0, libc::SIGTSTP) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    drop(ignored);
    suspend_process()
}

/// What becomes of SIGTSTP, until it is dropped.
struct Replaced {
    before: libc::sigaction,
    _alone: MutexGuard<'static, ()>,
}

impl Replaced {
    /// `SIG_DFL` or `SIG_IGN`: no handler.
    fn by(disposition: libc::sighandler_t) -> io::Result<Self> {
        // SAFETY: all of its fields may be zero: an empty mask and no flags.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = disposition;
        // There is nothing that could be left half done.
        let alone = REPLACED.lock().unwrap_or_else(PoisonError::into_inner);
        exchange(Some(&action)).map(|before| Self { before, _alone: alone })
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        // The kernel has taken it before; an error has nowhere to go.
        let _ = exchange(Some(&self.before));
    }
}

/// Sets what becomes of SIGTSTP, where that is asked for; returns what did before.
fn exchange(action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let action = action.map_or(std::ptr::null(), std::ptr::from_ref);
    let mut before = MaybeUninit::uninit();
    // SAFETY: the action is null, has no handler, or is one that the kernel has told of this process, whose
    // handler is installed to this day; there is room for what is told.
    let result = unsafe { libc::sigaction(libc::SIGTSTP, action, before.as_mut_ptr()) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled it.
    Ok(unsafe { before.assume_init() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    use super::*;

    /// Set for the copy of this test that does what it is about.
    const CHILD: &str = "PORTS_TEST_SUSPENSION";

    fn again(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "suspension::tests::it_stops_and_goes_on", "--nocapture"]);
        command.env(CHILD, "1");
        command
    }

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn it_stops_and_goes_on() {
        if std::env::var_os(CHILD).is_some() {
            let is_ignored = suspension_is_ignored().unwrap();
            suspend_process().unwrap();
            suspend_process_group().unwrap();
            assert_eq!(suspension_is_ignored().unwrap(), is_ignored);
            std::process::exit(if is_ignored { 3 } else { 4 });
        }
        // A group of its own, whose parent, in the same session, could let it go on.
        let mut child = again("exec env --default-signal=TSTP \"$0\" \"$@\" >/dev/null")
            .process_group(0)
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        for _ in 0..2 {
            let mut status = 0;
            // SAFETY: it waits for a child, which is not reaped while it is only stopped.
            let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::WUNTRACED) };
            assert_eq!(waited, pid);
            let status = std::process::ExitStatus::from_raw(status);
            assert_eq!(status.stopped_signal(), Some(libc::SIGTSTP), "{status}");
            // SAFETY: it only sends a signal.
            assert_eq!(unsafe { libc::kill(pid, libc::SIGCONT) }, 0);
        }
        assert_eq!(child.wait().unwrap().code(), Some(4));
        // Where it is ignored nothing stops.
        let mut ignoring = again("trap '' TSTP; exec \"$0\" \"$@\" >/dev/null");
        assert_eq!(ignoring.process_group(0).status().unwrap().code(), Some(3));
    }
}
