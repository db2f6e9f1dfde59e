//! The real binary: `ports forward`, and `--metrics`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "forward/clients.rs"]
mod clients;
#[path = "forward/datagrams.rs"]
mod datagrams;
#[path = "driver/ports.rs"]
mod driver;
#[path = "driver/full_pipe.rs"]
mod full_pipe;
#[path = "driver/kernel.rs"]
mod kernel;
#[path = "driver/loopback.rs"]
mod loopback;
#[path = "forward/metrics.rs"]
mod metrics;
#[path = "forward/own_address.rs"]
mod own_address;
#[path = "driver/own_port.rs"]
mod own_port;
#[path = "driver/stalled.rs"]
mod stalled;
#[path = "forward/stopping.rs"]
mod stopping;
#[path = "forward/sums.rs"]
mod sums;
#[path = "forward/unread.rs"]
mod unread;
#[path = "forward/urgent.rs"]
mod urgent;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown};

use driver::{Ports, client, noise, read_exactly, read_to_end, run};
use kernel::{fill, wait_until_it_has_read_all};
use loopback::{accept, comes_and_is_reset, listener, read_to_reset, refusing, reset};
use own_port::OwnPort;
use rustix::process::Signal;
use serde_json::Value;

fn forward(target: &str, more: &[&str]) -> Ports {
    Ports::start(&[&["forward", "tcp://127.0.0.1:0", target][..], more].concat())
}

#[test]
fn megabytes_go_both_ways_and_each_end_by_itself() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--stats"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    let (up, down) = (noise(3 << 20), noise(2 << 20));
    std::thread::scope(|scope| {
        let mut writer = here.try_clone().unwrap();
        let up = &up;
        scope.spawn(move || {
            writer.write_all(up).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        // The client has ended its stream before the target says its first word.
        assert!(read_to_end(&mut there) == *up);
        there.write_all(&down).unwrap();
        there.shutdown(Shutdown::Write).unwrap();
        assert!(read_to_end(&mut here) == down);
    });
    drop(there);
    ports.signal(Signal::TERM);
    let ended = ports.end();
    assert_eq!(ended.code, Some(143));
    let counted = "TCP Connections (client): 0 active, 1 opened, 1 closed";
    assert!(ended.stderr.contains(counted), "{}", ended.stderr);
}

#[test]
fn a_reset_of_either_end_is_a_reset_of_the_other() {
    let (listener, target) = listener();
    let ports = forward(&target, &[]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    there.write_all(b"part").unwrap();
    assert_eq!(read_exactly(&mut here, 4), b"part");
    reset(there);
    assert_eq!(here.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    here.write_all(b"part").unwrap();
    assert_eq!(read_exactly(&mut there, 4), b"part");
    reset(here);
    assert_eq!(there.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn what_a_target_said_before_its_reset_reaches_its_client_first() {
    // What the kernel and the forwarding hold of it while nobody reads.
    const HELD: usize = 2 << 20;
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    // It goes on sending, so that the target's reset ends both directions.
    here.write_all(b"question").unwrap();
    let answer = noise(HELD);
    there.write_all(&answer).unwrap();
    wait_until_it_has_read_all(&there);
    reset(there);
    let _ = here.write_all(b"more");
    let got = read_to_reset(&mut here);
    assert!(got == answer, "{} of {}", got.len(), answer.len());
    let error = ports.stdout.event("error");
    assert_eq!(error["operation"], "send");
    assert!(error["error"].as_str().unwrap().contains("broke off"), "{error}");
    let gone = ports.stdout.event("disconnected");
    assert_eq!((&gone["reason"], &gone["bytes_out"]), (&"handler-failed".into(), &HELD.into()));
}

#[test]
fn a_client_whose_target_is_not_there_is_reset_and_the_cause_is_told() {
    let (_refusing, target) = refusing();
    let ports = forward(&target.to_string(), &["--events", "-"]);
    comes_and_is_reset(ports.forwarding(0));
    let error = ports.stdout.event("error");
    assert_eq!((&error["client"], &error["operation"]), (&1.into(), &"connect".into()));
    assert!(error["error"].as_str().unwrap().contains(&target.to_string()), "{error}");
    let gone = ports.stdout.event("disconnected");
    assert_eq!(gone["reason"], "handler-failed");
}

#[test]
fn a_client_that_does_not_read_stops_the_target_and_not_the_memory() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    let sent = fill(ports.child.id(), &mut there);
    there.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut here).len(), sent);
}

#[test]
fn ctrl_c_lets_what_was_under_way_arrive() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    here.write_all(b"a question").unwrap();
    ports.stdout.event("data");
    ports.signal(Signal::INT);
    assert_eq!(read_exactly(&mut there, 10), b"a question");
    there.write_all(b"an answer").unwrap();
    drop(there);
    assert_eq!(read_to_end(&mut here), b"an answer");
    drop(here);
    let ended = ports.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let last = String::from_utf8(ended.stdout).unwrap();
    let last: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "stats");
}

#[test]
fn streams_that_are_not_over_when_it_stops_end_in_resets() {
    let (listener, target) = listener();
    let ports = forward(&target, &[]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    here.write_all(b"half a question").unwrap();
    assert_eq!(read_exactly(&mut there, 15), b"half a question");
    there.write_all(b"half an answer").unwrap();
    assert_eq!(read_exactly(&mut here, 14), b"half an answer");
    ports.signal(Signal::TERM);
    assert_eq!(read_to_reset(&mut here), b"");
    assert_eq!(read_to_reset(&mut there), b"");
}

#[test]
fn streams_that_are_not_over_when_they_are_idle_end_in_resets() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--idle-timeout", "100ms"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    // Where this test has to wait for its turn, the time is over before a word is said.
    let said = here.write_all(b"half a question").and_then(|()| there.write_all(b"half an answer"));
    if let Err(error) = said {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        return;
    }
    assert!(b"half an answer".starts_with(&read_to_reset(&mut here)));
    assert!(b"half a question".starts_with(&read_to_reset(&mut there)));
}

#[test]
fn a_client_that_ended_its_stream_before_ctrl_c_is_whole() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    here.write_all(b"all of it").unwrap();
    here.shutdown(Shutdown::Write).unwrap();
    ports.stdout.event("half-closed");
    ports.signal(Signal::INT);
    assert_eq!(read_to_end(&mut there), b"all of it");
    drop(there);
    assert_eq!(read_to_end(&mut here), b"");
    assert_eq!(ports.end().code, Some(130));
}

#[test]
fn ends_that_do_not_fit_are_refused() {
    for (args, expected) in [
        (&["tcp://127.0.0.1:0", "udp://127.0.0.1:9"][..], "both ends are TCP or both UDP"),
        (&["udp://127.0.0.1:0", "udp://239.1.2.3:9"], "a group or a broadcast has no one way back"),
        (&["udp://127.0.0.1:0", "udp://255.255.255.255:9"], "has no one way back"),
        (&["udp://127.0.0.1:0", "udp://127.0.0.1:9?iface=lo"], "iface is for groups"),
        (&["udp://127.0.0.1:0", "udp://127.0.0.1:9?source=239.1.1.1"], "no unicast address"),
        (&["127.0.0.1:0", "127.0.0.1:9", "--source", "::1"], "IP version"),
        (&["udp://127.0.0.1:0", "udp://127.0.0.1:9", "--source", "::1"], "IP version"),
        (&["udp://127.0.0.1:0", "udp://127.0.0.1:9", "--keepalive", "1s"], "is for TCP"),
        (&["127.0.0.1:0", "[fe80::1%nope0]:9"], ": there is no interface `nope0`"),
        (&["udp://[fe80::1%nope0]:0", "udp://127.0.0.1:9"], ": there is no interface `nope0`"),
        (&["udp://127.0.0.1:0", "udp://127.255.255.255:9"], "has no one way back"),
        (&["127.0.0.1:0", "127.0.0.1:0"], "0 is not a port to connect to"),
        (&["[::1]:0", "[::1]:9?source=::1", "--source", "::1"], "--source says it already"),
        (&["127.0.0.1:9", "127.0.0.1:9"], "forward to itself"),
        (&["udp://[::]:9", "udp://127.0.0.1:9"], "forward to itself"),
        (&["127.0.0.1:9", ":9"], "tcp://*:9 is tcp://127.0.0.1:9, where it listens itself"),
        (&["127.0.0.1:0", "127.0.0.1:9", "--metrics", "0.0.0.0:0"], "not a loopback address"),
    ] {
        let ended = run(&[&["forward"][..], args].concat());
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_name_of_where_it_listens_is_no_target() {
    let port = OwnPort::at(Ipv4Addr::LOCALHOST);
    let target = format!("tcp://localhost:{}", port.number());
    let listen = format!("tcp://{}", port.address());
    let ended = run(&["forward", &listen, &target, "--events", "-"]);
    let said = format!("{target} is {listen}, where it listens itself");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    assert!(!String::from_utf8(ended.stdout).unwrap().contains("listening"));
}

/// An address with a zone that it cannot have is resolved on this machine: no packet leaves it.
#[test]
fn what_resolves_no_target_does_not_begin() {
    for (listen, target) in [
        ("tcp://127.0.0.1:0", "tcp://[fd00::1%lo]:1"),
        ("udp://127.0.0.1:0", "udp://[fd00::1%lo]:1"),
    ] {
        let ended = run(&["forward", listen, target, "--events", "-"]);
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("cannot resolve"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("forwarding"), "{}", ended.stderr);
        assert!(!String::from_utf8(ended.stdout).unwrap().contains("listening"));
    }
}
