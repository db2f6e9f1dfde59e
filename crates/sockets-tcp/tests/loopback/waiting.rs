//! What waits for a slow client when its time is over is counted, to the byte, whoever waited.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sockets_tcp::{
    BroadcastReport, CloseReason, Discard, Events, SendError, ServerEvent, SlowPolicy, TcpServer,
};
use tokio::net::TcpStream;

use crate::support::{connected, small_peer, tight_server, wait};

const MESSAGE: usize = 16 * 1024;
/// Far more than fits in an outbox and what the kernel takes.
const SENDERS: usize = 40;

/// A server and its one client, who does not read.
async fn stalled(policy: SlowPolicy) -> (TcpServer, Events<ServerEvent>, TcpStream) {
    let builder = tight_server(Discard).slow_policy(policy).queue_bytes(4 * MESSAGE);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let peer = small_peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    (server, events, peer)
}

/// How many bytes were sent and how many were dropped, once the client is disconnected.
async fn sent_and_dropped(server: &TcpServer, events: &mut Events<ServerEvent>) -> (u64, u64) {
    let mut told = 0;
    let (sent, reason) = wait(events, |event| match event {
        ServerEvent::Dropped { bytes, .. } => {
            told += *bytes as u64;
            None
        }
        ServerEvent::Disconnected { bytes_out, reason, .. } => Some((*bytes_out, *reason)),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::SlowPeer);
    let counted = server.stats().snapshot().totals();
    assert_eq!((counted.bytes_sent, counted.dropped_bytes), (sent, told));
    (sent, told)
}

#[tokio::test]
async fn messages_of_many_senders_that_wait_when_the_time_is_over_are_all_counted() {
    let (server, mut events, _peer) = stalled(SlowPolicy::Block(Duration::from_millis(200))).await;
    let client = server.clients().pop().unwrap();
    // All of them are under way before anything happens to the first.
    let sends = (0..SENDERS).map(|_| server.send(client.id, Bytes::from(vec![7; MESSAGE])));
    let results = join_all(sends).await;
    assert!(results.contains(&Err(SendError::SlowPeer { client: client.id })), "{results:?}");
    let (sent, dropped) = sent_and_dropped(&server, &mut events).await;
    assert_eq!(sent + dropped, (SENDERS * MESSAGE) as u64, "{results:?}");
}

#[tokio::test]
async fn broadcasts_that_wait_when_the_time_is_over_are_all_counted() {
    let (server, mut events, _peer) = stalled(SlowPolicy::Block(Duration::from_millis(200))).await;
    let sends = (0..SENDERS).map(|_| server.broadcast(Bytes::from(vec![7; MESSAGE])));
    let reports: Vec<BroadcastReport> = join_all(sends).await;
    assert!(reports.iter().any(|report| report.disconnected == 1), "{reports:?}");
    let (sent, dropped) = sent_and_dropped(&server, &mut events).await;
    assert_eq!(sent + dropped, (SENDERS * MESSAGE) as u64, "{reports:?}");
}
