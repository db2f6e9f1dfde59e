//! What callers build on and no signature shows: which types may go to another thread, and how much room
//! futures take in theirs.

use std::error::Error;
use std::net::SocketAddr;

use sockets_udp::{
    BindError, BroadcastError, Discard, Echo, Events, Interface, InterfaceError, JoinError,
    LeaveError, Outgoing, RecvBatch, RecvError, SendError, SendReport, ServeError, UdpSocket,
    UdpSocketBuilder,
};
use tokio_util::sync::CancellationToken;

fn is_shared<T: Send + Sync + Unpin + 'static>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn everything_may_go_to_another_thread_and_be_shared() {
    is_shared::<UdpSocket>();
    is_shared::<UdpSocketBuilder>();
    is_shared::<RecvBatch>();
    is_shared::<Events>();
    is_shared::<SendReport>();
    is_shared::<Echo>();
    is_shared::<Discard>();
}

#[test]
fn errors_go_where_errors_go() {
    is_error::<BindError>();
    is_error::<SendError>();
    is_error::<RecvError>();
    is_error::<ServeError>();
    is_error::<JoinError>();
    is_error::<LeaveError>();
    is_error::<InterfaceError>();
    is_error::<BroadcastError>();
}

/// The room a future takes; it must be one that a runtime may move to another thread.
fn room(future: &(impl Future + Send)) -> usize {
    size_of_val(future)
}

/// A task holds them for as long as it waits.
#[tokio::test]
async fn futures_are_small() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = UdpSocket::builder().bind(any).open().unwrap();
    let target = socket.local_addr();
    let mut batch = RecvBatch::new(1, 1);
    let stop = CancellationToken::new();
    let outgoing = [Outgoing::new(b"", target)];
    for (name, room, most) in [
        ("recv", room(&socket.recv()), 1024),
        ("recv_into", room(&socket.recv_into(&mut [0])), 1024),
        ("recv_many", room(&socket.recv_many(&mut batch)), 1024),
        ("send_to", room(&socket.send_to(b"", target)), 1024),
        ("send_many", room(&socket.send_many(&outgoing)), 1024),
        ("send_bulk", room(&socket.send_bulk(target, b"", 1)), 2048),
        ("broadcast_on", room(&socket.broadcast_on(b"", 9, &Interface::Default)), 2048),
        ("serve_until", room(&socket.serve_until(Discard, &stop)), 4096),
        ("closed", room(&socket.closed()), 512),
        ("Events::recv", room(&socket.events().recv()), 64),
    ] {
        assert!(room <= most, "{name}: {room} bytes, {most} at most");
    }
}
