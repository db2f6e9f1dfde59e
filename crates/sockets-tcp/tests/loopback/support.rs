//! What the tests share: peers, and servers on a free port.

use std::net::SocketAddr;

use socket2::{Domain, SockRef, Socket, Type};
use sockets_tcp::{Events, Handler, TcpClient, TcpClientBuilder, TcpServer, TcpServerBuilder};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub(crate) use crate::address::any_port;
pub(crate) use crate::arrival::reset;
pub(crate) use crate::expecting::*;

pub(crate) fn server<H: Handler>(handler: H) -> TcpServerBuilder<H> {
    TcpServer::builder().bind(any_port()).handler(handler)
}

/// A server for whose connections the kernel holds a few kilobytes, and never more. By itself it
/// changes its mind: it takes megabytes, and more as a connection goes on, and next to nothing while
/// TCP as a whole has too little memory (tcp(7), `tcp_mem`), so that what had to wait is suddenly gone.
pub(crate) fn tight_server<H: Handler>(handler: H) -> TcpServerBuilder<H> {
    let listener = std::net::TcpListener::bind(any_port()).unwrap();
    // Its connections have it from the listener.
    SockRef::from(&listener).set_send_buffer_size(4096).unwrap();
    TcpServer::builder().exclusive_listener(listener).handler(handler)
}

/// All events to the last.
pub(crate) async fn rest<E: Clone + Send + 'static>(events: &mut Events<E>) -> Vec<E> {
    let mut all = Vec::new();
    while let Some(event) = tokio::time::timeout(HANG, events.recv()).await.unwrap() {
        all.push(event);
    }
    all
}

/// A port that servers may listen on again and again, and that the kernel gives to nobody else
/// meanwhile: another socket stays bound to it, and both allow the sharing.
pub(crate) fn reserved() -> (Socket, SocketAddr) {
    reserved_at(any_port())
}

fn reserved_at(any_port: SocketAddr) -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&any_port.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// As [`reserved`], of both families: a port that is free on every address.
pub(crate) fn reserved_by_both() -> ((Socket, Socket), u16) {
    loop {
        let (four, address) = reserved_at(SocketAddr::from(([0; 4], 0)));
        let six = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        six.set_reuse_address(true).unwrap();
        six.set_only_v6(true).unwrap();
        let any = SocketAddr::from(([0; 8], address.port()));
        match six.bind(&any.into()) {
            Ok(()) => return ((four, six), address.port()),
            // Another test's: the next one.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        }
    }
}

/// An address that never answers, as long as what comes with it is held. Linux answers no SYN while
/// the backlog is full, and one of 0 holds one connection.
#[cfg(target_os = "linux")]
pub(crate) fn silent() -> (impl Sized, SocketAddr) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&any_port().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let filling = std::net::TcpStream::connect(address).unwrap();
    while sockets_sys::tcp_info(&listener).unwrap().unacked == 0 {
        std::thread::yield_now();
    }
    ((listener, filling), address)
}

/// A client's connection and its other end.
pub(crate) async fn pair(
    listener: &TcpListener,
    set_up: impl FnOnce(TcpClientBuilder) -> TcpClientBuilder,
) -> (TcpClient, TcpStream) {
    let builder = set_up(TcpClient::builder(listener.local_addr().unwrap()));
    let (client, accepted) = tokio::join!(builder.connect(), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// A peer with a small receive buffer, which does not read unless it is told to.
pub(crate) async fn small_peer(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

pub(crate) async fn peer(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}
