//! TLS clients that take nothing while the server shuts down: what did not get to them is reported.
#![cfg(target_os = "linux")]

use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{CloseReason, Discard, Events, ServerEvent, TcpServer};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::support::{connected, pattern, read_to_end, secured, server, wait};

const GRACE: Duration = Duration::from_millis(100);

/// A server, and a client with a small window that does not read.
async fn scene() -> (TcpServer, Events<ServerEvent>, TlsStream<TcpStream>) {
    let server = server(Discard).linger(Duration::from_millis(5)).start().await.unwrap();
    let events = server.events();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let peer = secured(socket.connect(server.local_addr()).await.unwrap()).await.unwrap();
    (server, events, peer)
}

#[tokio::test]
async fn what_the_kernel_holds_for_a_client_is_not_drained_and_goes_on() {
    let (server, mut events, mut peer) = scene().await;
    let client = wait(&mut events, connected).await;
    let message = Bytes::from(pattern(150_000));
    server.send(client, message.clone()).await.unwrap();
    while server.clients()[0].queued_bytes > 0 {
        tokio::task::yield_now().await;
    }
    let report = server.shutdown(GRACE).await;
    let [cut] = report.cut_off[..] else { panic!("{report:?}") };
    assert_eq!((report.drained, cut.reason, cut.unsent_bytes), (0, CloseReason::Shutdown, 0));
    assert!(cut.unacknowledged_bytes > 0, "{cut:?}");
    // Its end, TLS's too, is with the kernel behind all of it.
    assert!(read_to_end(&mut peer).await.unwrap() == message);
}

#[tokio::test]
async fn what_waits_for_a_client_is_told_to_the_byte_and_its_stream_is_cut() {
    const MESSAGE: usize = 512 * 1024;
    let (server, mut events, mut peer) = scene().await;
    let client = wait(&mut events, connected).await;
    let mut offered = 0;
    // More than the kernel takes for one connection, whatever its limits are: each that is accepted
    // counts.
    while offered < 64 << 20 {
        let sent = server.send(client, Bytes::from(vec![7; MESSAGE]));
        if tokio::time::timeout(GRACE, sent).await.is_err() {
            break;
        }
        offered += MESSAGE as u64;
    }
    let report = server.shutdown(GRACE).await;
    let [cut] = report.cut_off[..] else { panic!("{report:?}") };
    assert!(cut.unsent_bytes > 0, "{cut:?}");
    let totals = server.stats().snapshot().totals();
    assert_eq!(totals.bytes_sent + totals.dropped_bytes, offered);
    assert_eq!(totals.dropped_bytes, cut.unsent_bytes as u64);
    read_to_end(&mut peer).await.expect_err("a cut stream does not look whole");
}
