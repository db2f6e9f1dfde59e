//! What keeps the lab away from the machine, and removes it whatever happens.
//!
//! Everything runs in network, mount and process namespaces of its own. The namespaces that `ip netns`
//! makes are named in a private /run, so no other program sees them; and when the lab's first
//! process ends, the kernel ends all others and takes every namespace, link and device down.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};

/// Unshared for the lab. `/proc` has to be its own, too: scanners read `/proc/self/net`.
const UNSHARE: [&str; 6] =
    ["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"];

/// Runs this command again inside, by the program `xtask`, and takes over its exit code.
///
/// # Errors
///
/// Where the namespaces cannot be made.
pub(super) fn enter(xtask: &Path) -> Result<ExitCode> {
    let mut child = Command::new("unshare")
        .args(UNSHARE)
        // A shell, for one mount before anything else: a private /run for `ip netns`.
        .args(["--", "sh", "-c", "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\""])
        .arg(xtask)
        .args(std::env::args_os().skip(1))
        .arg("--inside")
        // Never written to. It closes when this process ends, in whatever way: that ends the lab.
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start unshare")?;
    let lifeline = child.stdin.take();
    let status = child.wait().context("cannot wait for the lab")?;
    drop(lifeline);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Ends this process, the first of its process namespace, when standard input ends.
pub(super) fn end_with_standard_input() {
    std::thread::spawn(|| {
        // An error is an end, too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        end();
    });
}

/// With the first process the kernel ends all others of the namespace, so nothing is left to tidy.
#[expect(clippy::exit, reason = "from a thread of its own there is no other way out")]
fn end() -> ! {
    std::process::exit(1)
}
