//! Every bound has its event, and the event names the bound.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::Value;

use crate::ANY;
use crate::driver::{DEADLINE, Ports, client, read_exactly};

/// How the one client of this command ends, who says nothing.
fn reason_of(args: &[&str]) -> Value {
    let events = tempfile::NamedTempFile::new().unwrap();
    let path = events.path().to_str().unwrap();
    let ports = Ports::start(&[args, &["--events", path]].concat());
    let address = if args[0] == "forward" { ports.forwarding(0) } else { ports.listening(0) };
    // However it is told to the client, and be that while it connects.
    let _ = TcpStream::connect(address).and_then(|mut peer| {
        peer.set_read_timeout(Some(DEADLINE))?;
        peer.read_to_end(&mut Vec::new())
    });
    ports.signal(Signal::INT);
    ports.end();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.iter().find(|line| line["type"] == "disconnected");
    end.unwrap_or_else(|| panic!("no end in {text}"))["reason"].clone()
}

#[test]
fn a_timeout_is_named_by_every_command_that_has_it() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = target.local_addr().unwrap().to_string();
    for (option, reason) in
        [("--idle-timeout", "idle-timeout"), ("--first-byte-timeout", "first-byte-timeout")]
    {
        for command in [
            &["listen", ANY, "--service", "echo"][..],
            &["listen", ANY, "--service", "relay"],
            &["listen", ANY],
            &["forward", ANY, &target],
        ] {
            let args = [command, &[option, "50ms"]].concat();
            assert_eq!(reason_of(&args), reason, "{args:?}");
        }
    }
}

#[test]
fn who_waits_for_a_place_is_told_of_once() {
    let args = ["listen", ANY, "--service", "echo", "--max-connections", "1", "-v"];
    let ports = Ports::start(&[&args[..], &["--events", "-"]].concat());
    let address = ports.listening(0);
    let mut first = client(address);
    first.write_all(b"1").unwrap();
    read_exactly(&mut first, 1);
    let mut waiting = [client(address), client(address)];
    assert_eq!(ports.stdout.event("full")["max_connections"], 1);
    ports.stderr.until(b"1 client connected, the most there may be");
    drop(first);
    for peer in &mut waiting {
        peer.write_all(b"2").unwrap();
        assert_eq!(read_exactly(peer, 1), b"2");
        peer.shutdown(std::net::Shutdown::Both).unwrap();
    }
    ports.signal(Signal::INT);
    let ended = ports.end();
    let text = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(text.matches(r#""type":"full""#).count(), 1, "{text}");
}

#[test]
fn a_client_alone_waits_for_nobody() {
    let args = ["listen", ANY, "--service", "echo", "--max-connections", "1", "--events", "-"];
    let ports = Ports::start(&args);
    let mut only = client(ports.listening(0));
    for _ in 0..4 {
        only.write_all(b"1").unwrap();
        read_exactly(&mut only, 1);
    }
    drop(only);
    ports.stdout.event("disconnected");
    ports.signal(Signal::INT);
    let text = String::from_utf8(ports.end().stdout).unwrap();
    assert!(!text.contains(r#""type":"full""#), "{text}");
}
