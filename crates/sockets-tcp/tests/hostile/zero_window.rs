//! Peers that never read while the other end shuts down: what their kernels never took is not
//! reported as delivered.
#![cfg(target_os = "linux")]

use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    ClientEvent, CloseReason, Discard, Events, ServerEvent, ShutdownReport, TcpClient, TcpServer,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{
    HANG, any_port, connected, pattern, read_to_end, reset, server, small_peer, wait,
};

/// More than the peer's window, and less than the kernel takes at once.
const MESSAGE: usize = 200_000;
const LINGER: Duration = Duration::from_millis(5);
const GRACE: Duration = Duration::from_millis(100);

/// A server, and a peer for which its kernel holds all of a message.
struct Scene {
    server: TcpServer,
    events: Events<ServerEvent>,
    peer: TcpStream,
    message: Bytes,
}

async fn scene() -> Scene {
    let server = server(Discard).linger(LINGER).start().await.unwrap();
    let mut events = server.events();
    let peer = small_peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    let message = Bytes::from(pattern(MESSAGE));
    server.send(id, message.clone()).await.unwrap();
    while server.clients()[0].queued_bytes > 0 {
        tokio::task::yield_now().await;
    }
    Scene { server, events, peer, message }
}

/// One cut off, with nothing unsent; how many bytes the peer had not acknowledged.
fn unacknowledged(report: &ShutdownReport, reason: CloseReason) -> usize {
    assert_eq!((report.drained, report.cut_off.len(), report.refused), (0, 1, 0), "{report:?}");
    let cut = report.cut_off[0];
    assert_eq!((cut.reason, cut.unsent_bytes), (reason, 0), "{cut:?}");
    assert!(cut.unacknowledged_bytes > 0 && cut.unacknowledged_bytes <= MESSAGE, "{cut:?}");
    cut.unacknowledged_bytes
}

#[tokio::test]
async fn what_the_peer_never_took_is_not_drained() {
    let Scene { server, mut peer, message, .. } = scene().await;
    let report = server.shutdown(GRACE).await;
    unacknowledged(&report, CloseReason::Shutdown);
    // The stream is whole: the kernel goes on with it, where the peer comes to read.
    assert!(read_to_end(&mut peer).await.unwrap() == message);
}

#[tokio::test]
async fn nor_where_the_peer_ended_its_own_stream_before() {
    let Scene { server, mut events, mut peer, message } = scene().await;
    let stopping = tokio::spawn(async move { server.shutdown(GRACE).await });
    peer.shutdown().await.unwrap();
    let reason = wait(&mut events, crate::support::disconnected).await;
    assert_eq!(reason, CloseReason::Shutdown);
    unacknowledged(&stopping.await.unwrap(), CloseReason::Shutdown);
    assert!(read_to_end(&mut peer).await.unwrap() == message);
}

#[tokio::test]
async fn a_peer_that_comes_to_read_within_the_grace_is_drained() {
    let Scene { server, mut peer, message, .. } = scene().await;
    let stopping = tokio::spawn(async move { server.shutdown(HANG).await });
    // Many times as long as the linger: only the grace counts.
    tokio::time::sleep(LINGER * 20).await;
    assert!(!stopping.is_finished());
    assert!(read_to_end(&mut peer).await.unwrap() == message);
    let report = stopping.await.unwrap();
    assert_eq!((report.drained, report.cut_off.len()), (1, 0), "{report:?}");
}

#[tokio::test]
async fn a_peer_that_resets_meanwhile_is_cut_off_at_once() {
    for half_closed in [false, true] {
        let Scene { server, mut peer, .. } = scene().await;
        let stopping = tokio::spawn(async move { server.shutdown(HANG).await });
        tokio::task::yield_now().await;
        if half_closed {
            peer.shutdown().await.unwrap();
        }
        // Until it waits for nothing but the acknowledgement.
        tokio::time::sleep(LINGER * 5).await;
        reset(peer);
        unacknowledged(&stopping.await.unwrap(), CloseReason::Reset);
    }
}

#[tokio::test]
async fn every_byte_is_delivered_or_reported() {
    const MUCH: usize = 32 << 20;
    let server = server(Discard).queue_bytes(MUCH).start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    server.send(id, Bytes::from(vec![7; MUCH])).await.unwrap();
    let report = server.shutdown(GRACE).await;
    let cut = report.cut_off[0];
    assert!(cut.unsent_bytes > 0 && cut.unacknowledged_bytes > 0, "{cut:?}");
    let mut read = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut read).await.unwrap_err();
    assert!(read.len() + cut.unsent_bytes + cut.unacknowledged_bytes >= MUCH, "{cut:?}");
    let sent = server.stats().snapshot().totals().bytes_sent;
    assert_eq!(sent + cut.unsent_bytes as u64, MUCH as u64);
}

/// Many of them, with all kinds of peers among them: one grace for all, and nobody hangs.
#[tokio::test]
async fn one_grace_is_enough_for_many() {
    const MANY: usize = 100;
    let server = server(Discard).linger(LINGER).start().await.unwrap();
    let mut events = server.events();
    let mut peers = Vec::new();
    for _ in 0..MANY {
        peers.push(small_peer(server.local_addr()).await);
        let id = wait(&mut events, connected).await;
        server.send(id, Bytes::from(vec![7; MESSAGE])).await.unwrap();
    }
    let mut reading = tokio::task::JoinSet::new();
    for mut peer in peers.split_off(MANY / 2) {
        reading.spawn(async move { read_to_end(&mut peer).await.unwrap().len() });
    }
    let report = server.shutdown(Duration::from_secs(1)).await;
    assert_eq!(report.drained + report.cut_off.len(), MANY, "{report:?}");
    assert!(report.cut_off.len() >= MANY / 2, "{report:?}");
    assert!(report.cut_off.iter().all(|cut| cut.unsent_bytes == 0), "{report:?}");
    // Also where the kernel is slow: what it holds, it goes on sending.
    assert_eq!(reading.join_all().await, [MESSAGE; MANY / 2]);
    drop(peers);
}

#[tokio::test]
async fn a_client_that_closes_tells_what_the_server_never_took() {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.set_recv_buffer_size(4096).unwrap();
    listener.bind(&any_port().into()).unwrap();
    listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let builder = TcpClient::builder(address).linger(LINGER).close_grace(GRACE);
    let client = builder.connect().await.unwrap();
    let mut events = client.events();
    client.send(Bytes::from(pattern(MESSAGE))).await.unwrap();
    let report = client.close().await;
    assert_eq!(report.unsent_bytes, 0);
    assert!(report.unacknowledged_bytes > 0, "{report:?}");
    let sent = wait(&mut events, |event| match event {
        ClientEvent::Disconnected { bytes_out, .. } => Some(*bytes_out),
        _ => None,
    });
    assert_eq!(sent.await, MESSAGE as u64);
}
