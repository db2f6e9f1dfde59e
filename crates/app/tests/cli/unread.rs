//! Commands that only print, and whose standard error nobody reads: they end all the same.

use std::process::{Child, Stdio};

use super::full_pipe::full_pipe;
use super::program::ports;

/// Each has something to say there, and its exit code.
const TALKERS: &[(&[&str], i32)] = &[
    (&["--no-such-option"], 2),
    (&["lookup", "no-such-service"], 1),
    (&["diff", "no-such-file", "no-such-file"], 4),
    (&["who", "no-such-port"], 2),
    (&["ls", "--user", "no such user"], 2),
    (&["doctor", "9011", "--address", "fe80::1%no-such-link"], 2),
    (&["leases", "-o", "no-such-directory/file"], 4),
    (&["free", "--range", "9-8"], 2),
    (&["lease", "--", "no-such-program"], 127),
    // What it says comes before the program.
    (&["lease", "-v", "--", "sh", "-c", "exit 7"], 7),
];

#[test]
fn nobody_waits_for_ever_for_who_reads_standard_error() {
    // All of them at once: each has some patience.
    let start = |args: &[&str]| {
        let (unread, stderr) = full_pipe();
        let child: Child = ports(args).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        (child, unread)
    };
    let started: Vec<_> = TALKERS.iter().map(|(args, code)| (start(args), args, code)).collect();
    for ((mut child, unread), args, code) in started {
        assert_eq!(child.wait().unwrap().code(), Some(*code), "{args:?}");
        drop(unread);
    }
}
