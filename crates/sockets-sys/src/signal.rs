//! What becomes of two signals that end a process.

use std::io;
use std::mem::MaybeUninit;

/// Whether SIGHUP is ignored, as nohup(1) starts its commands; a process that is to outlive its
/// terminal has to leave it so.
///
/// # Errors
///
/// What the kernel says.
pub fn hangup_is_ignored() -> io::Result<bool> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is changed, and there is room for what is told.
    let result = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr()) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled it.
    let action = unsafe { action.assume_init() };
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

/// From now on a write past the limit of file sizes (setrlimit(2), `RLIMIT_FSIZE`) fails with `EFBIG`,
/// where otherwise SIGXFSZ would end the process. A program that this process becomes by `exec` starts
/// with the default again.
///
/// # Errors
///
/// What the kernel says.
pub fn outlive_file_size_limit() -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}

    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all of its fields may be zero: an empty mask, no flags, and `SIG_DFL`.
    let action_ref = unsafe { action.assume_init_mut() };
    let handler: extern "C" fn(libc::c_int) = nothing;
    action_ref.sa_sigaction = handler as libc::sighandler_t;
    action_ref.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler does nothing, so it may run at any time; the pointers are valid or null.
    let result = unsafe { libc::sigaction(libc::SIGXFSZ, action_ref, std::ptr::null_mut()) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set for the copy of this test that does what it is about.
    const CHILD: &str = "PORTS_TEST_SIGNAL";

    fn again(test: &str, script: &str) -> Option<i32> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(CHILD, "1");
        command.status().unwrap().code()
    }

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn an_ignored_hangup_is_seen() {
        if std::env::var_os(CHILD).is_some() {
            std::process::exit(if hangup_is_ignored().unwrap() { 3 } else { 4 });
        }
        let test = "signal::tests::an_ignored_hangup_is_seen";
        assert_eq!(again(test, "trap '' HUP; exec \"$0\" \"$@\" >/dev/null"), Some(3));
        // Whoever runs the tests may ignore it, too, and a shell cannot take that back.
        let code = if hangup_is_ignored().unwrap() { 3 } else { 4 };
        assert_eq!(again(test, "exec \"$0\" \"$@\" >/dev/null"), Some(code));
    }

    #[test]
    #[expect(clippy::exit, reason = "the answer of the copy is its exit code")]
    fn a_file_that_grows_too_large_is_an_error() {
        if std::env::var_os(CHILD).is_some() {
            outlive_file_size_limit().unwrap();
            let path = std::env::temp_dir().join(format!("ports-signal-{}", std::process::id()));
            let written = std::fs::write(&path, [0; 4096]);
            std::fs::remove_file(&path).unwrap();
            let kind = written.unwrap_err().kind();
            std::process::exit(if kind == io::ErrorKind::FileTooLarge { 3 } else { 4 });
        }
        let test = "signal::tests::a_file_that_grows_too_large_is_an_error";
        let script = "ulimit -f 1; exec \"$0\" \"$@\" >/dev/null";
        assert_eq!(again(test, script), Some(3));
    }
}
