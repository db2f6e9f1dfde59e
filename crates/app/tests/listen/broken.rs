//! A pipe whose connection breaks: what it says, and what it counts.

use serde_json::Value;

use crate::ANY;
use crate::driver::{Ports, client};
use crate::loopback::reset;

#[test]
fn pipe_says_what_a_reset_cost() {
    let ports = Ports::start(&["listen", ANY]);
    let peer = client(ports.listening(0));
    reset(peer);
    let ended = ports.end();
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("broke"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("ended its stream"), "{}", ended.stderr);
}

#[test]
fn pipe_counts_the_errors_that_it_tells() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let ports = Ports::start(&["listen", ANY, "--events", path, "--stats"]);
    reset(client(ports.listening(0)));
    let ended = ports.end();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors = lines.iter().filter(|line| line["type"] == "error" && line["client"] == 1);
    let kinds: Vec<_> = errors.map(|line| line["operation"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["read"], "{text}");
    let counted = &lines.last().unwrap()["groups"][0]["counters"]["errors"];
    assert_eq!(*counted, serde_json::json!({"read": 1}));
    assert!(ended.stderr.contains("Errors: 1 (read 1)"), "{}", ended.stderr);
}

/// Whether the bytes come to a socket that is closed, or the close to bytes that are unread: the
/// kernel answers with a reset.
#[cfg(target_os = "linux")]
#[test]
fn pipe_says_that_its_peer_went_without_the_last_bytes() {
    for _ in 0..10 {
        let mut ports = Ports::start(&["listen", ANY]);
        ports.write(b"for nobody");
        ports.end_input();
        drop(client(ports.listening(0)));
        let ended = ports.end();
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("broke"), "{}", ended.stderr);
    }
}
