//! Standard streams that nobody reads: what is begun goes on, and a signal ends it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::driver::Collected;
use super::full_pipe::full_pipe;
use super::{Holder, MEEK, STUBBORN, alone};

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

#[test]
fn a_signal_ends_it_where_nobody_reads_what_came_of_it() {
    let _alone = alone();
    let mut holder = Holder::start(MEEK);
    let (unread, stdout) = full_pipe();
    let mut ports = Command::new(env!("CARGO_BIN_EXE_ports"));
    ports.args(["kill", &holder.port, "--yes", "-v", "--format", "jsonl"]);
    let ports = ports.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let mut ports = ports.spawn().unwrap();
    let said = Collected::of(ports.stderr.take().unwrap(), "standard error");
    assert_eq!(holder.child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    kill_process(Pid::from_child(&ports), Signal::TERM).unwrap();
    let said = String::from_utf8(said.whole()).unwrap();
    assert!(said.contains("standard output is not read"), "{said}");
    assert_eq!(ports.wait().unwrap().code(), Some(143));
    drop(unread);
}
