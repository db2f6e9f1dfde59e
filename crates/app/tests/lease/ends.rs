//! How long a lease holds.

use std::process::Command;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::driver::{Ports, run};
use super::port_of;

/// Prints its port, then lives as long as its input.
const HOLD: &str = "echo $PORT; exec cat";

/// Whether somebody else can lease the port now, and what it is told.
fn lease_again(port: u16) -> Result<(), String> {
    let ended = run(&["lease", "--port", &port.to_string(), "--", "true"]);
    match ended.code {
        Some(0) => Ok(()),
        Some(125) => Err(ended.stderr),
        code => panic!("{code:?}: {}", ended.stderr),
    }
}

/// A process that is no child of this one.
struct Stranger(std::os::fd::OwnedFd);

impl Stranger {
    fn open(pid: &str) -> Self {
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        Self(pidfd_open(pid, PidfdFlags::empty()).unwrap())
    }

    /// Waits until it has ended, and all of its descriptors are closed.
    fn wait(&self) {
        let mut end = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut end, None).unwrap();
    }
}

fn hold(range: &str) -> Ports {
    Ports::start(&["lease", "--name", "held", "--range", range, "--", "sh", "-c", HOLD])
}

#[test]
fn it_is_held_as_long_as_the_command_lives() {
    let mut ports = hold("3200-3219");
    let port = port_of(&ports);
    // The shell has become it.
    ports.write(b"cat\n");
    ports.stdout.until(b"cat\n");
    let told = lease_again(port).unwrap_err();
    let who = format!("is leased by `held`, held by cat (process {})", ports.child.id());
    assert!(told.contains(&who), "{told}");
    ports.end_input();
    assert_eq!(ports.end().code, Some(0));
    lease_again(port).unwrap();
}

#[test]
fn it_is_free_at_once_when_the_command_is_killed() {
    let ports = hold("3220-3239");
    let port = port_of(&ports);
    ports.signal(Signal::KILL);
    assert_eq!(ports.end().code, None);
    lease_again(port).unwrap();
}

#[test]
fn it_is_held_when_the_parent_of_the_command_is_killed() {
    let binary = env!("CARGO_BIN_EXE_ports");
    // The shell takes its own number out of the way: it is the one that is killed.
    let script = format!(
        "exec 3<&0; {binary} lease --range 3240-3259 -- sh -c 'echo $$; {HOLD}' <&3 & exec 3<&-; wait"
    );
    let mut parent = Ports::spawn(Command::new("sh").args(["-c", &script]));
    let holder = Stranger::open(&parent.stdout.line("", 0));
    let port: u16 = parent.stdout.line("", 1).parse().unwrap();
    parent.signal(Signal::KILL);
    parent.child.wait().unwrap();
    lease_again(port).unwrap_err();
    parent.end_input();
    holder.wait();
    lease_again(port).unwrap();
}

#[test]
fn it_is_held_as_long_as_what_the_command_started() {
    let script = "echo $PORT; sleep 1000 >/dev/null 2>&1 & echo $!";
    let mut ports = Ports::start(&["lease", "--range", "3260-3279", "--", "sh", "-c", script]);
    ports.end_input();
    let port = port_of(&ports);
    let sleeper = ports.stdout.line("", 1);
    let process = Stranger::open(&sleeper);
    assert_eq!(ports.end().code, Some(0));
    let told = lease_again(port).unwrap_err();
    assert!(told.contains(&format!("(process {sleeper})")), "{told}");
    let ended = run(&["leases", "--format", "jsonl"]);
    let listed = String::from_utf8(ended.stdout).unwrap();
    assert!(listed.contains(&format!("\"pid\":{sleeper}")), "{listed}");
    pidfd_send_signal(&process.0, Signal::KILL).unwrap();
    process.wait();
    lease_again(port).unwrap();
}
