//! Limits of `ports listen`, passed sockets, `-v`, and the second signal.

use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use crate::ANY;
use crate::driver::{Ports, client, read_exactly, read_to_end, run};
use crate::kernel::fill;
use crate::loopback::comes_and_is_reset;

#[test]
fn one_address_has_no_more_than_its_connections() {
    let args = ["listen", ANY, "--service", "echo", "--max-connections-per-address", "1"];
    let ports = Ports::start(&[&args[..], &["--events", "-"]].concat());
    let address = ports.listening(0);
    let mut first = client(address);
    first.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut first, 5), b"hello");
    comes_and_is_reset(address);
    assert_eq!(ports.stdout.event("refused")["reason"], "address-limit");
}

#[test]
fn who_says_nothing_at_all_is_closed() {
    // The end of a pipe's input is to be there before the time is over.
    for (service, time) in [("echo", "20ms"), ("pipe", "1s")] {
        let args = ["listen", ANY, "--service", service, "--first-byte-timeout", time];
        let mut ports = Ports::start(&args);
        ports.end_input();
        let mut silent = client(ports.listening(0));
        assert_eq!(read_to_end(&mut silent), b"", "{service}");
    }
}

#[test]
fn with_v_it_tells_of_its_clients() {
    let ports = Ports::start(&["listen", ANY, "--service", "echo", "-v"]);
    let mut peer = client(ports.listening(0));
    peer.write_all(b"hello").unwrap();
    read_exactly(&mut peer, 5);
    ports.stderr.until(b"client 1 connected: 127.0.0.1:");
    drop(peer);
    ports.stderr.until(b"peer-closed, 5 bytes in, 5 out");
}

#[cfg(target_os = "linux")]
#[test]
fn it_serves_sockets_that_were_passed() {
    let listen = [env!("CARGO_BIN_EXE_ports"), "listen", "fd:", "--service", "echo"];
    let ports = Ports::start(&[&["lease", "--fd", "--"][..], &listen].concat());
    let mut peer = client(ports.listening(0));
    peer.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut peer, 5), b"hello");
    let ended = run(&["listen", "fd:web"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("cannot listen on `fd:web`: no such socket"), "{}", ended.stderr);
}

/// Whoever came to the other one would wait for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_takes_one_socket_that_was_passed() {
    let lease = ["lease", "--count", "2", "--fd", "--", env!("CARGO_BIN_EXE_ports"), "listen"];
    let ended = run(&[&lease[..], &["fd:"]].concat());
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("fd: is 2 sockets, and a pipe takes one"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("listening on"), "{}", ended.stderr);
    let ports = Ports::start(&[&lease[..], &["fd:", "--service", "echo"]].concat());
    for number in 0..2 {
        let mut peer = client(ports.listening(number));
        peer.write_all(b"x").unwrap();
        assert_eq!(read_exactly(&mut peer, 1), b"x");
    }
}

/// What the program opens itself must not be taken for it.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_was_announced_and_not_passed_is_an_error() {
    let script = "LISTEN_FDS=9 LISTEN_PID=$$ exec \"$0\" listen fd: --service echo";
    let ended = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ports")])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(4), "{told}");
    assert!(told.contains("descriptor") && told.contains("LISTEN_FDS"), "{told}");
}

#[test]
fn the_second_signal_ends_it_and_the_statistics_are_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let events = file.path().to_str().unwrap();
    let args = ["listen", ANY, "--service", "echo", "--stats", "--events", events];
    let mut ports = Ports::start(&args);
    let mut peer = client(ports.listening(0));
    // It never reads: what is sent back to it is what the first signal waits for.
    fill(ports.child.id(), &mut peer);
    while ports.child.try_wait().unwrap().is_none() {
        ports.signal(Signal::INT);
        std::thread::yield_now();
    }
    let ended = ports.end();
    assert_eq!(ended.code, Some(130));
    assert!(!ended.stderr.contains("was cut off"), "{}", ended.stderr);
    assert!(ended.stderr.contains("=== Socket Statistics ==="), "{}", ended.stderr);
    let lines = std::fs::read_to_string(file.path()).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "stats");
}
