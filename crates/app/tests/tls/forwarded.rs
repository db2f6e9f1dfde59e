//! A TLS client that fails is told of by `forward` as `listen` tells of it.

use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use crate::certificates::Certificates;
use crate::driver::{Ports, client};

/// What is told, without addresses and counts.
fn told(ports: Ports) -> (Vec<[Value; 4]>, String) {
    ports.signal(Signal::INT);
    let ended = ports.end();
    let text = String::from_utf8(ended.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let kinds = ["handshake-failed", "connected", "error", "disconnected"];
    let lines = lines.filter(|line| kinds.iter().any(|kind| line["type"] == *kind));
    let lines =
        lines.map(|line| ["type", "reason", "operation", "error"].map(|it| line[it].clone()));
    (lines.collect(), ended.stderr)
}

/// The same client, of a `listen` and of a `forward`.
fn both(mut fail: impl FnMut(&Ports, std::net::SocketAddr)) -> [(Vec<[Value; 4]>, String); 2] {
    let certificates = Certificates::new();
    let echo = ["--service", "echo"];
    let target = Ports::start(&[&["listen", "127.0.0.1:0"][..], &echo].concat());
    let target = target.listening(0).to_string();
    let identity = certificates.server();
    let more = [&["--events", "-", "-v"][..], &identity.options()].concat();
    let listen = Ports::start(&[&["listen", "tls://127.0.0.1:0"][..], &echo, &more].concat());
    let forward = Ports::start(&[&["forward", "tls://127.0.0.1:0", &target][..], &more].concat());
    let (here, there) = (listen.listening(0), forward.forwarding(0));
    fail(&listen, here);
    fail(&forward, there);
    [told(listen), told(forward)]
}

#[test]
fn who_begins_no_tls_session() {
    let [listen, forward] = both(|ports, address| {
        let mut stranger = client(address);
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        ports.stdout.event("handshake-failed");
    });
    assert_eq!(listen.0.len(), 1, "{listen:?}");
    assert_eq!(listen.0, forward.0);
    for (_, said) in [listen, forward] {
        assert!(said.contains("began no TLS session"), "{said}");
    }
}

#[test]
fn whose_tls_session_is_cut_short() {
    let [listen, forward] = both(|ports, address| {
        let endpoint = format!("tls://{address}");
        let mut known = Ports::start(&["connect", &endpoint, "--insecure"]);
        known.write(b"hello");
        // By now it has read all that the handshake sends.
        known.stdout.until(b"hello");
        known.child.kill().unwrap();
        ports.stdout.event("disconnected");
    });
    let reasons: Vec<_> = listen.0.iter().map(|line| line[1].as_str()).collect();
    assert!(reasons.contains(&Some("tls-failed")), "{listen:?}");
    assert_eq!(listen.0, forward.0);
}
