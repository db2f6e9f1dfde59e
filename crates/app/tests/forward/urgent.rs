//! Bytes that are marked as urgent (`MSG_OOB`) keep their places: in both streams of `forward`, and in
//! those of the pipe and of `connect`.

use std::net::TcpStream;

use socket2::SockRef;

use crate::driver::{Ports, client, read_exactly};
use crate::forward;
use crate::loopback::{accept, listener};

const SENT: &[u8] = b"before!behind";

/// Sends a byte that is urgent in the middle of others, and no end: nothing comes whose arrival would
/// bring to light what was left lying behind it.
fn send_urgently(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    socket.send(b"before").unwrap();
    socket.send_out_of_band(b"!").unwrap();
    socket.send(b"behind").unwrap();
}

#[test]
fn an_urgent_byte_is_forwarded_in_its_place_both_ways_and_counted() {
    let (listener, target) = listener();
    let ports = forward(&target, &["--events", "-"]);
    let mut here = client(ports.forwarding(0));
    let mut there = accept(&listener);
    for _ in 0..10 {
        send_urgently(&here);
        assert_eq!(read_exactly(&mut there, SENT.len()), SENT);
        send_urgently(&there);
        assert_eq!(read_exactly(&mut here, SENT.len()), SENT);
    }
    drop((here, there));
    let gone = ports.stdout.event("disconnected");
    assert_eq!((&gone["bytes_in"], &gone["bytes_out"]), (&130.into(), &130.into()));
}

#[test]
fn an_urgent_byte_comes_out_of_a_pipe_in_its_place() {
    let ports = Ports::start(&["listen", "tcp://127.0.0.1:0"]);
    let peer = client(ports.listening(0));
    send_urgently(&peer);
    ports.stdout.until(SENT);
    drop(peer);
    assert_eq!(ports.end().stdout, SENT);
}

#[test]
fn an_urgent_byte_comes_out_of_connect_in_its_place() {
    let (listener, endpoint) = listener();
    let ports = Ports::start(&["connect", &endpoint]);
    let peer = accept(&listener);
    send_urgently(&peer);
    ports.stdout.until(SENT);
    drop(peer);
    assert_eq!(ports.end().stdout, SENT);
}
