//! Bytes that the peer marks as urgent (`MSG_OOB`): they keep their places in the stream.

use std::io::Read as _;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use socket2::SockRef;
use sockets_tcp::{
    CloseReason, Connection, Discard, Echo, ServerEvent, TcpClient, TcpServer, handler_fn,
};

use crate::arrival::delivered;
use crate::support::{HANG, any_port, connected, server, wait};

/// Sends a byte that is urgent in the middle of others, and no end.
fn send_urgently(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    socket.send(b"before").unwrap();
    socket.send_out_of_band(b"!").unwrap();
    socket.send(b"behind").unwrap();
}

const SENT: &[u8] = b"before!behind";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_reads_an_urgent_byte_in_its_place_and_what_is_behind_it() {
    let server = server(Echo::new()).start().await.unwrap();
    let address = server.local_addr();
    let echoed = tokio::task::spawn_blocking(move || {
        let mut stream = connect(address);
        let mut echoed = Vec::new();
        for _ in 0..100 {
            send_urgently(&stream);
            // Nothing else comes, whose arrival would bring to light what was left lying.
            let mut piece = [0; SENT.len()];
            stream.read_exact(&mut piece).unwrap();
            echoed.extend_from_slice(&piece);
        }
        echoed
    });
    assert_eq!(echoed.await.unwrap(), SENT.repeat(100));
}

/// Two urgent bytes, the first of them the first of the stream, before anybody has accepted it: the
/// kernel knows one mark only, and drops the byte at an older one.
#[tokio::test(flavor = "multi_thread")]
async fn urgent_bytes_that_came_before_the_connection_was_accepted_are_all_there() {
    let listener = TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let builder = TcpServer::builder().exclusive_listener(listener).handler(Echo::new());
    // Its only place is taken by another.
    let server = builder.max_connections(1).start().await.unwrap();
    let mut events = server.events();
    let first = connect(address);
    wait(&mut events, connected).await;
    let echoed = tokio::task::spawn_blocking(move || {
        let mut second = connect(address);
        for byte in [b"1", b"2", b"3"] {
            SockRef::from(&second).send_out_of_band(byte).unwrap();
        }
        second.shutdown(Shutdown::Write).unwrap();
        drop(first);
        let mut echoed = Vec::new();
        second.read_to_end(&mut echoed).unwrap();
        echoed
    });
    assert_eq!(echoed.await.unwrap(), b"123");
}

#[tokio::test(flavor = "multi_thread")]
async fn urgent_bytes_are_counted() {
    let server = server(Discard).start().await.unwrap();
    let mut events = server.events();
    let stream = connect(server.local_addr());
    send_urgently(&stream);
    drop(stream);
    let came = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { bytes_in, reason, .. } => Some((*bytes_in, *reason)),
        _ => None,
    });
    assert_eq!(came.await, (SENT.len() as u64, CloseReason::PeerClosed));
}

/// What comes when nobody is to read it any more is known to the byte.
#[tokio::test(flavor = "multi_thread")]
async fn urgent_bytes_that_nobody_reads_are_counted() {
    let read_nothing = handler_fn(async |connection: Connection| {
        connection.shutdown_token().cancelled().await;
        Ok(())
    });
    let server = server(read_nothing).start().await.unwrap();
    let mut events = server.events();
    let stream = connect(server.local_addr());
    wait(&mut events, connected).await;
    send_urgently(&stream);
    delivered(&stream);
    let report = server.shutdown(HANG).await;
    let unread: Vec<_> = report.unread.iter().map(|unread| unread.bytes).collect();
    assert_eq!(unread, [SENT.len() as u64], "{report:?}");
}

/// What has come by the begin of a shutdown is read, also behind the mark.
#[tokio::test(flavor = "multi_thread")]
async fn urgent_bytes_are_drained() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let mut stream = connect(server.local_addr());
    wait(&mut events, connected).await;
    send_urgently(&stream);
    delivered(&stream);
    let reading = tokio::task::spawn_blocking(move || {
        let mut echoed = Vec::new();
        stream.read_to_end(&mut echoed).unwrap();
        echoed
    });
    server.shutdown(HANG).await;
    assert_eq!(reading.await.unwrap(), SENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_receives_an_urgent_byte_in_its_place_and_what_is_behind_it() {
    let listener = TcpListener::bind(any_port()).unwrap();
    let client = TcpClient::builder(listener.local_addr().unwrap()).connect().await.unwrap();
    let server = listener.accept().unwrap().0;
    for _ in 0..100 {
        send_urgently(&server);
        let mut received = Vec::new();
        while received.len() < SENT.len() {
            let next = tokio::time::timeout(HANG, client.recv()).await.unwrap();
            received.extend_from_slice(&next.unwrap().unwrap());
        }
        assert_eq!(received, SENT);
    }
}
