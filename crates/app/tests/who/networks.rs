//! A holder in another network namespace, such as a container's.

use std::process::{Command, Stdio};

use super::driver::Collected;

#[test]
#[ignore = "needs root: a network namespace"]
fn that_only_one_network_namespace_was_looked_at_is_said() {
    let mut container = Command::new("unshare")
        .args(["--net", "sh", "-c", "echo ready; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    Collected::of(container.stdout.take().unwrap(), "the container").until(b"ready\n");
    // In a namespace without any socket.
    let program = env!("CARGO_BIN_EXE_ports");
    for command in [&["who", "9012"][..], &["kill", "9012", "--yes"]] {
        let alone =
            Command::new("unshare").args(["--net", program]).args(command).output().unwrap();
        let told = String::from_utf8(alone.stderr).unwrap();
        assert_eq!(alone.status.code(), Some(1), "{told}");
        // There is the tests' own, too, and there may be more.
        let only = "only this network namespace was looked at, and there are ";
        assert!(told.starts_with("note: nobody ") && told.contains(only), "{told}");
    }
    // Closes what it reads.
    drop(container.stdin.take());
    assert!(container.wait().unwrap().success());
}
