//! A standard error that nobody reads: what is begun goes on.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::driver::Collected;
use super::full_pipe::full_pipe;
use super::{Holder, STUBBORN, alone};

#[test]
fn who_does_not_end_is_killed_though_nobody_reads() {
    let _alone = alone();
    let mut holder = Holder::start(STUBBORN);
    let (unread, stderr) = full_pipe();
    let mut ports = Command::new(env!("CARGO_BIN_EXE_ports"));
    ports.args(["kill", &holder.port, "--yes", "-v", "--timeout", "50ms", "--format", "jsonl"]);
    let ports = ports.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let mut ports = ports.spawn().unwrap();
    let told = Collected::of(ports.stdout.take().unwrap(), "standard output").event("kill");
    assert_eq!(told["outcome"], "killed");
    assert_eq!(holder.child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(ports.wait().unwrap().code(), Some(0));
    drop(unread);
}
