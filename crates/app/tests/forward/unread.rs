//! A standard error that nobody reads, such as the pipe of a supervisor that hangs.

use std::io::PipeWriter;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::driver::Collected;
use crate::full_pipe::full_pipe;
use crate::loopback::{comes_and_is_reset, refusing};

/// How many clients are served: more than are told of one by one, and what is said does not fit into the
/// pipe.
const CLIENTS: usize = 200;

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn forward(target: &str, stderr: PipeWriter) -> (Self, Collected) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ports"));
        command.args(["forward", "tcp://127.0.0.1:0", target, "--events", "-", "-v"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let stdout = Collected::of(child.stdout.take().unwrap(), "standard output");
        (Self(child), stdout)
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
    }
}

/// Lets clients come whose target is not there.
fn refuse_clients(stdout: &Collected) {
    let endpoint = stdout.event("listening")["endpoint"].as_str().unwrap().to_owned();
    let address = endpoint.trim_start_matches("tcp://").parse().unwrap();
    for _ in 0..CLIENTS {
        comes_and_is_reset(address);
    }
}

#[test]
fn it_stops_no_client_and_no_signal() {
    let (_refusing, target) = refusing();
    let target = target.to_string();
    let (unread, stderr) = full_pipe();
    let (mut ports, stdout) = Running::forward(&target, stderr);
    refuse_clients(&stdout);
    ports.interrupt();
    let events = String::from_utf8(stdout.whole()).unwrap();
    assert!(events.lines().last().unwrap().contains("\"type\":\"stats\""));
    assert_eq!(ports.0.wait().unwrap().code(), Some(130));
    drop(unread);
}

#[test]
fn what_is_said_meanwhile_is_there_once_it_is_read() {
    let (_refusing, target) = refusing();
    let target = target.to_string();
    let (unread, stderr) = full_pipe();
    let (mut ports, stdout) = Running::forward(&target, stderr);
    refuse_clients(&stdout);
    let stderr = Collected::of(unread, "standard error");
    // Of so many, the last are said in sum when it ends.
    stderr.until(b"client 50 is gone: ");
    ports.interrupt();
    assert_eq!(ports.0.wait().unwrap().code(), Some(130));
    let said = String::from_utf8(stderr.whole()).unwrap();
    let first = said.lines().find(|line| !line.is_empty()).unwrap();
    assert!(first.starts_with("note: forwarding "), "{first}");
    assert_eq!(said.matches("(said once; --events tells of each client)").count(), 1);
    assert!(!said.contains("missing"), "{said}");
    let of_others = |words: &str| -> usize {
        let sums = said.lines().filter_map(|line| line.split_once(" not said one by one: "));
        let sums = sums.flat_map(|(_, sums)| sums.split("; "));
        sums.filter_map(|sum| sum.split_once(words)?.0.parse::<usize>().ok()).sum()
    };
    assert_eq!(said.matches(" connected: ").count() + of_others(" connected"), CLIENTS, "{said}");
    assert_eq!(said.matches(" is gone: ").count() + of_others(" gone,"), CLIENTS, "{said}");
    assert!(of_others(" gone,") > 0, "{said}");
}
