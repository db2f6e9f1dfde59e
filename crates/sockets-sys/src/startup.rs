//! What the process was started with, before Rust's runtime changes it.

use std::sync::atomic::{AtomicBool, Ordering};

static OUTPUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when the process was started.
///
/// Rust's runtime opens `/dev/null` in its place before `main`, so that what is written is lost and
/// nobody is told. This is looked up before that.
pub fn standard_output_was_closed() -> bool {
    OUTPUT_WAS_CLOSED.load(Ordering::Relaxed)
}

extern "C" fn look() {
    // SAFETY: F_GETFD reads no memory, and any number may be asked about.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    OUTPUT_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}

// SAFETY: the loader calls what this section points to once, before `main`, as C functions. `look` is
// one, and needs nothing of Rust's runtime: it allocates nothing, cannot panic, and stores to an atomic.
#[used]
#[unsafe(link_section = ".init_array")]
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
