//! What callers build on and no signature shows: which types may go to another thread, and how much room
//! futures take in theirs.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    BindError, ClientEvent, ClientId, ClientRecvError, ClientSendError, ConnectError, Connection,
    ConnectionReader, ConnectionWriter, Discard, Echo, Events, FrameError, Framed, Lines, Relay,
    SendError, ServerEvent, ServerHandle, TargetError, TcpClient, TcpClientBuilder, TcpServer,
    TcpServerBuilder, UnknownClientError,
};

fn is_shared<T: Send + Sync + Unpin + 'static>() {}
fn is_sent<T: Send + Unpin + 'static>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn everything_may_go_to_another_thread_and_be_shared() {
    is_shared::<TcpServer>();
    is_shared::<TcpServerBuilder<Echo>>();
    is_shared::<TcpServerBuilder<Relay>>();
    is_shared::<TcpServerBuilder<Discard>>();
    is_shared::<ServerHandle>();
    is_shared::<TcpClient>();
    is_shared::<TcpClientBuilder>();
    is_shared::<Events<ServerEvent>>();
    is_shared::<Events<ClientEvent>>();
    is_sent::<Connection>();
    is_sent::<ConnectionReader>();
    is_sent::<ConnectionWriter>();
    is_sent::<Framed<Connection, Lines>>();
    is_sent::<Framed<TcpClient, Lines>>();
}

#[test]
fn errors_go_where_errors_go() {
    is_error::<BindError>();
    is_error::<ConnectError>();
    is_error::<SendError>();
    is_error::<ClientSendError>();
    is_error::<ClientRecvError>();
    is_error::<FrameError>();
    is_error::<TargetError>();
    is_error::<UnknownClientError>();
}

/// The room a future takes; it must be one that a runtime may move to another thread.
fn room(future: &(impl Future + Send)) -> usize {
    size_of_val(future)
}

/// A task holds them for as long as it waits, and a server holds many tasks.
#[tokio::test]
async fn futures_are_small() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = TcpServer::builder().bind(any).start().await.unwrap();
    let client = TcpClient::builder(server.local_addr()).connect().await.unwrap();
    let handle = server.handle();
    let (message, id) = (Bytes::new, ClientId::from(1));
    for (name, room, most) in [
        ("TcpClient::recv", room(&client.recv()), 512),
        ("TcpClient::send", room(&client.send(message())), 1024),
        ("TcpClient::finish", room(&client.finish()), 1024),
        ("TcpClient::close", room(&client.close()), 512),
        ("ServerHandle::send", room(&handle.send(id, message())), 1024),
        ("ServerHandle::broadcast", room(&handle.broadcast(message())), 1024),
        ("TcpServer::shutdown", room(&server.shutdown(Duration::ZERO)), 512),
        ("Events::recv", room(&server.events().recv()), 64),
    ] {
        assert!(room <= most, "{name}: {room} bytes, {most} at most");
    }
}
