//! `--events`: what the lines say, and what happens where nobody can read them.

use std::io::Write;
use std::net::Shutdown;

use rustix::process::Signal;
use serde_json::Value;

use crate::ANY;
use crate::driver::{self, Ports, client, read_to_end, run};

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
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_ports"))
        .args(["listen", ANY, "--service", "echo", "--events", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let stderr = driver::Collected::of(child.stderr.take().unwrap(), "standard error");
    let text = String::from_utf8(stderr.whole()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
    assert!(!text.contains("error"), "{text}");
}

#[test]
fn events_that_cannot_be_written_end_the_command() {
    let ended = run(&["listen", ANY, "--service", "echo", "--events", "/dev/full"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("/dev/full"), "{}", ended.stderr);
}
