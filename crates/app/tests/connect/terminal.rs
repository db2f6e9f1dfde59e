//! Input that a user types: Ctrl-C is its end.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::driver::{Collected, client, read_exactly, read_to_end};
use crate::loopback::{accept, listener};
use crate::pty::terminal;

/// A command that listens at an endpoint of its own, or connects to the given one.
fn is_told_of_a_proper_end(
    command: &str,
    endpoint: &str,
    peer: impl FnOnce(&Collected) -> std::net::TcpStream,
) {
    let (mut controller, terminal) = terminal();
    let mut ports = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args([command, endpoint])
        .stdin(terminal)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = Collected::of(ports.stderr.take().unwrap(), "standard error");
    let mut peer = peer(&stderr);
    controller.write_all(b"typed\n").unwrap();
    assert_eq!(read_exactly(&mut peer, 6), b"typed\n");
    kill_process(Pid::from_child(&ports), Signal::INT).unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
    drop(peer);
    assert_eq!(ports.wait().unwrap().code(), Some(130));
}

#[test]
fn ctrl_c_ends_what_was_typed() {
    let (listener, endpoint) = listener();
    is_told_of_a_proper_end("connect", &endpoint, |_| accept(&listener));
    is_told_of_a_proper_end("listen", "tcp://127.0.0.1:0", |stderr| {
        client(stderr.line("note: listening on tcp://", 0).parse().unwrap())
    });
}
