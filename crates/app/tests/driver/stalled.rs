//! A peer that ends its stream and takes nothing more: what it was sent last is not there.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, SockRef, Socket, Type};

use super::driver::Ports;
use super::loopback::reset;

/// More than a peer takes whose window is [`WINDOW`], and less than the kernel here holds.
const INPUT: usize = 60_000;
/// What the peer's kernel is asked to hold for it.
const WINDOW: usize = 4096;

/// Whose connections have a small window.
pub(crate) fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(WINDOW).unwrap();
    listener
}

/// A client with a small window.
pub(crate) fn client(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(WINDOW).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// Gives the program its input, ends the peer's stream, and sees that the program does not take the
/// one for delivered.
pub(crate) fn is_not_taken_for_delivered(mut ports: Ports, peer: TcpStream) {
    ports.write(&vec![b'x'; INPUT]);
    ports.end_input();
    peer.shutdown(Shutdown::Write).unwrap();
    let ended = ports.end();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let said = "bytes that were sent: whether it gets them is not known";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    // What waits for it is thrown away.
    reset(peer);
}
