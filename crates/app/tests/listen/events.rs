//! `--events`: what the lines say, and what happens where nobody can read them.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::ANY;
use crate::driver::{self, Ports, client, read_to_end, run};
use crate::loopback::udp;

#[test]
fn events_tell_the_whole_story_and_end_with_the_statistics() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let ports = Ports::start(&["listen", ANY, "--service", "echo", "--events", path, "--stats"]);
    let address = ports.listening(0);
    let mut peer = client(address);
    peer.write_all(b"hello").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut peer), b"hello");
    let local = peer.local_addr().unwrap().to_string();
    drop(peer);
    ports.signal(Signal::INT);
    let ended = ports.end();
    assert_eq!((ended.code, ended.stdout.len()), (Some(130), 0));
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["listening", "connected", "data", "half-closed", "disconnected", "stats"]);
    assert_eq!(lines[0]["endpoint"], format!("tcp://{address}"));
    assert_eq!((&lines[1]["client"], &lines[1]["peer"]), (&1.into(), &local.clone().into()));
    assert_eq!((&lines[2]["client"], &lines[2]["len"]), (&1.into(), &5.into()));
    let end = &lines[4];
    assert_eq!(end["reason"], "peer-closed");
    assert_eq!((&end["bytes_in"], &end["bytes_out"]), (&5.into(), &5.into()));
    assert_eq!(lines[5]["groups"][0]["counters"]["bytes_received"], 5);
    assert!(ended.stderr.contains("Bytes Received: 5 B"), "{}", ended.stderr);
    assert!(ended.stderr.contains("(peer-closed, 5 B in, 5 B out"), "{}", ended.stderr);
}

#[test]
fn pipe_events_are_those_of_a_service() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let mut ports = Ports::start(&["listen", ANY, "--events", path]);
    let mut peer = client(ports.listening(0));
    peer.write_all(b"hello").unwrap();
    ports.stdout.until(b"hello");
    ports.write(b"hi");
    ports.end_input();
    assert_eq!(read_to_end(&mut peer), b"hi");
    drop(peer);
    assert_eq!(ports.end().code, Some(0));
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["listening", "connected", "data", "half-closed", "disconnected", "stats"]);
    assert_eq!((&lines[4]["bytes_in"], &lines[4]["bytes_out"]), (&5.into(), &2.into()));
    assert_eq!(lines[4]["reason"], "peer-closed");
}

#[test]
fn the_reader_of_events_may_leave() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["listen", ANY, "--service", "echo", "--events", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap());
    let stderr = driver::Collected::of(child.stderr.take().unwrap(), "standard error");
    let mut peer = client(stderr.line("note: listening on tcp://", 0).parse().unwrap());
    peer.write_all(b"hello").unwrap();
    let mut line = String::new();
    while !line.contains("data") {
        line.clear();
        events.read_line(&mut line).unwrap();
    }
    // From here on there is no event that would have to be written.
    drop(events);
    assert_eq!(read_to_end(&mut peer), b"hello", "it ends in order");
    drop(peer);
    let text = String::from_utf8(stderr.whole()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn the_clients_of_all_endpoints_have_one_row_of_numbers() {
    let relay = ["--service", "relay", "--events", "-"];
    let places = ["udp://127.0.0.1:0", "udp://127.0.0.1:0", ANY];
    let ports = Ports::start(&[&["listen"], &places[..], &relay].concat());
    let clients = [udp(), udp()];
    for (number, socket) in clients.iter().enumerate() {
        socket.send_to(b"hello", ports.listening(number)).unwrap();
    }
    let stream = client(ports.listening(2));
    let mut numbers = ports.stdout.wait(|bytes, _| {
        let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|it| it.ends_with(b"\n"));
        let lines = whole.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        let connected = lines.filter(|line| line["type"] == "connected");
        let numbers: Vec<_> = connected.map(|line| line["client"].as_u64().unwrap()).collect();
        (numbers.len() == 3).then_some(numbers)
    });
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
    drop(stream);
}

/// What it sends then is nobody's.
#[cfg(target_os = "linux")]
#[test]
fn who_sends_on_after_a_stop_is_reset_and_counted_apart() {
    for service in ["echo", "discard", "relay"] {
        let ports = Ports::start(&["listen", ANY, "--service", service, "--events", "-"]);
        let mut peer = client(ports.listening(0));
        peer.write_all(b"in time").unwrap();
        ports.stdout.event("data");
        ports.signal(Signal::INT);
        assert_eq!(read_to_end(&mut peer), if service == "echo" { &b"in time"[..] } else { b"" });
        let mut late = 0_u64;
        while let Ok(sent) = peer.write(b"late") {
            late += sent as u64;
        }
        let ended = ports.end();
        assert_eq!(ended.code, Some(130));
        let text = "note: 1 client was reset, with ";
        assert!(ended.stderr.contains(text), "{service}: {}", ended.stderr);
        let told = String::from_utf8(ended.stdout).unwrap();
        let line = told.lines().find(|line| line.contains("disconnected")).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["bytes_in"], &line["reason"]), (&7.into(), &"shutdown".into()));
        let discarded = line["discarded"].as_u64().unwrap();
        assert!((1..=late).contains(&discarded), "{discarded} of {late}");
        let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        assert_eq!(last["groups"][0]["counters"]["discarded_bytes"], discarded);
    }
}

/// A reader that stands still, and then SIGTERM: the clients are served, and the command ends.
#[test]
fn a_reader_of_events_that_stands_still_stops_nothing() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["listen", ANY, "--service", "echo", "--events", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    rustix::pipe::fcntl_setpipe_size(&stdout, 4096).unwrap();
    let stderr = driver::Collected::of(child.stderr.take().unwrap(), "standard error");
    let line = stderr.line("note: listening on tcp://", 0);
    let address = line.parse().unwrap();
    // Each has four lines: the pipe and the queue of lines before it are full after some.
    for _ in 0..400 {
        let mut peer = client(address);
        peer.write_all(b"x").unwrap();
        assert_eq!(driver::read_exactly(&mut peer, 1), b"x");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let told = String::from_utf8(stderr.whole()).unwrap();
    assert!(told.contains("cannot write events to standard output: nobody reads them"), "{told}");
    drop(stdout);
}

/// A second one that is started by mistake fails, for the port is taken; the first one's log stays.
#[test]
fn a_log_is_emptied_only_by_a_command_that_begins() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    std::fs::write(path, "of an earlier run\n").unwrap();
    let ports = Ports::start(&["listen", ANY, "--service", "echo", "--events", path]);
    let endpoint = format!("tcp://{}", ports.listening(0));
    while !std::fs::read_to_string(path).unwrap().ends_with("}\n") {
        std::thread::yield_now();
    }
    let second = run(&["listen", &endpoint, "--service", "echo", "--events", path]);
    assert_eq!(second.code, Some(4));
    ports.signal(Signal::INT);
    ports.end();
    let text = std::fs::read_to_string(path).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().into())
        .collect();
    // What the second one has to tell comes behind it.
    assert_eq!(kinds, ["listening", "error", "stats", "stats"]);
}

#[test]
fn events_that_cannot_be_written_end_the_command() {
    let ended = run(&["listen", ANY, "--service", "echo", "--events", "/dev/full"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("/dev/full"), "{}", ended.stderr);
}

/// A named pipe that nobody reads: the one signal ends the command, which said what it waits for.
#[test]
fn a_reader_of_events_that_does_not_come_is_waited_for_until_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("events");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let path = pipe.to_str().unwrap();
    let hint = format!("note: `{path}`: waiting for somebody to read it");
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let ports = Ports::start(&["listen", ANY, "--events", path]);
        ports.stderr.until(hint.as_bytes());
        ports.signal(signal);
        let ended = ports.end();
        assert_eq!(ended.code, Some(code));
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
    let ports = Ports::start(&["listen", ANY, "--service", "echo", "--events", path]);
    ports.stderr.until(hint.as_bytes());
    let events = driver::Collected::of(std::fs::File::open(&pipe).unwrap(), "the named pipe");
    let endpoint = format!("tcp://{}", ports.listening(0));
    assert_eq!(events.event("listening")["endpoint"], endpoint);
}

/// What a pipe moves is cut by that: no end for which the exit code is 0.
#[test]
fn a_reader_of_an_events_file_that_leaves_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("events");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let path = pipe.to_str().unwrap();
    let ports = Ports::start(&["listen", ANY, "--events", path]);
    let mut events = BufReader::new(std::fs::File::open(&pipe).unwrap());
    let mut line = String::new();
    events.read_line(&mut line).unwrap();
    assert!(line.contains("listening"), "{line}");
    drop(events);
    let ended = ports.end();
    assert_eq!(ended.code, Some(4));
    let said = format!("cannot write events to `{path}`");
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
}
