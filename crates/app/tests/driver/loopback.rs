//! The other ends, on loopback: listeners and sockets whose waits have the deadline.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};

use super::driver::DEADLINE;

/// A listener, and its endpoint.
pub(crate) fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    with_deadline(listener.accept().unwrap().0)
}

fn with_deadline(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// A port that refuses until the socket listens: bound, so that nobody else gets it meanwhile.
pub(crate) fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

pub(crate) fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// Reads to the end, which is a reset: what came before it.
pub(crate) fn read_to_reset(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    bytes
}

/// Ends a connection by a reset.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Comes to an address where it is reset at once. The reset may be there before `connect` is back,
/// which tells of it then.
pub(crate) fn comes_and_is_reset(address: SocketAddr) {
    let read = TcpStream::connect(address).and_then(|stream| with_deadline(stream).read(&mut [0]));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// Waits until a connection whose peer has ended its stream is reset all the same. Reading tells only
/// of the end.
pub(crate) fn wait_for_reset(stream: &TcpStream) {
    // An error is told of unasked (poll(2)).
    let mut error = [PollFd::new(stream, PollFlags::empty())];
    let deadline = Timespec::try_from(DEADLINE).unwrap();
    assert_eq!(poll(&mut error, Some(&deadline)), Ok(1), "it is not reset");
    assert!(stream.take_error().unwrap().is_some());
}

/// A UDP socket that takes answers only from the address it asks, which is what most clients do.
pub(crate) fn udp_of(address: &str, port: u16) -> UdpSocket {
    let ip: IpAddr = address.parse().unwrap();
    let own = if ip.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let client = UdpSocket::bind(own).unwrap();
    client.connect((ip, port)).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client
}
