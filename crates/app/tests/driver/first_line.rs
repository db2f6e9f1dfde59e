//! A `ports` whose reader has read enough after one line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

/// Runs it until it has said a line to standard output, and then, unread, to its end.
pub(crate) fn first_line(args: &[&str]) -> (String, Output) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ports"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    (line, child.wait_with_output().unwrap())
}
