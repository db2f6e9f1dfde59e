//! `--keepalive`, as the kernel has it.
#![cfg(target_os = "linux")]

use std::net::{SocketAddr, TcpStream};

use crate::driver::Ports;
use crate::loopback::{accept, listener};

/// The timer of the socket that talks to `peer`, as in /proc/net/tcp (proc(5)): 2 is keepalive.
fn timer(peer: SocketAddr) -> Option<(u8, u64)> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", peer.port());
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // 01 is TCP_ESTABLISHED.
        if !fields[2].ends_with(&port) || fields[3] != "01" {
            return None;
        }
        let (kind, left) = fields[5].split_once(':').unwrap();
        // In hundredths of a second.
        Some((kind.parse().unwrap(), u64::from_str_radix(left, 16).unwrap() / 100))
    })
}

fn connected(more: &[&str]) -> (Ports, TcpStream, (u8, u64)) {
    let (listener, endpoint) = listener();
    let mut ports = Ports::start(&[&["connect", &endpoint][..], more].concat());
    let peer = accept(&listener);
    // What came back was sent behind the setting of the options, and nothing is under way.
    ports.write(b"x");
    let mut peer = peer;
    assert_eq!(crate::driver::read_exactly(&mut peer, 1), b"x");
    let address = peer.local_addr().unwrap();
    let told = loop {
        match timer(address) {
            // The retransmission timer, until the acknowledgement is there.
            Some((1, _)) => std::thread::yield_now(),
            Some(told) => break told,
            None => panic!("no socket to {address}"),
        }
    };
    (ports, peer, told)
}

#[test]
fn a_silent_peer_is_asked_after_the_time_that_was_given() {
    let (_ports, _peer, (kind, left)) = connected(&["--keepalive", "77s"]);
    assert_eq!(kind, 2);
    assert!((1..=77).contains(&left), "{left} s");
    let (_ports, _peer, (kind, _)) = connected(&[]);
    assert_eq!(kind, 0, "nobody is asked unless told to");
}
