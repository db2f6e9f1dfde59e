//! How long a lease holds.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

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

fn hold(range: &str) -> Ports {
    Ports::start(&["lease", "--name", "held", "--range", range, "--", "sh", "-c", HOLD])
}

#[test]
fn it_is_held_as_long_as_the_command_lives() {
    let mut ports = hold("3200-3219");
    let port = port_of(&ports);
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
        "exec 3<&0; {binary} lease --range 3240-3259 -- sh -c '{HOLD}' <&3 & exec 3<&-; wait"
    );
    let mut parent = Ports::spawn(Command::new("sh").args(["-c", &script]));
    let port = port_of(&parent);
    parent.signal(Signal::KILL);
    parent.child.wait().unwrap();
    lease_again(port).unwrap_err();
    parent.end_input();
    // The end of its output is that of the command.
    parent.stdout.whole();
    lease_again(port).unwrap();
}

#[test]
fn it_is_held_as_long_as_what_the_command_started() {
    let script = "echo $PORT; sleep 1000 >/dev/null 2>&1 & echo $!";
    let mut ports = Ports::start(&["lease", "--range", "3260-3279", "--", "sh", "-c", script]);
    ports.end_input();
    let port = port_of(&ports);
    let sleeper: i32 = ports.stdout.line("", 1).trim().parse().unwrap();
    assert_eq!(ports.end().code, Some(0));
    let told = lease_again(port).unwrap_err();
    assert!(told.contains(&format!("(process {sleeper})")), "{told}");
    let ended = run(&["leases", "--format", "jsonl"]);
    let listed = String::from_utf8(ended.stdout).unwrap();
    assert!(listed.contains(&format!("\"pid\":{sleeper}")), "{listed}");
    kill_process(Pid::from_raw(sleeper).unwrap(), Signal::KILL).unwrap();
    // Nobody here is its parent: it is gone when its lease is.
    while lease_again(port).is_err() {}
}
