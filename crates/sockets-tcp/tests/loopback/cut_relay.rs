//! A relay whose grace is over: what it read of a client was sent to each other one, or is counted.

use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use sockets_tcp::{ClientId, Events, Relay, ServerEvent, ShutdownReport, SlowPolicy, TcpServer};
use tokio::io::AsyncWriteExt;

use crate::arrival::delivered;
use crate::support::{HANG, connected, peer, read_exactly, rest, small_peer, tight_server, wait};

const MESSAGE: usize = 8192;
const OUTBOX: usize = 4 * MESSAGE;

async fn start(relay: Relay, queue: usize) -> (TcpServer, Events<ServerEvent>) {
    let builder = tight_server(relay).slow_policy(SlowPolicy::Block(HANG)).queue_bytes(queue);
    let server = builder.event_capacity(1 << 16).start().await.unwrap();
    let events = server.events();
    (server, events)
}

/// Bytes that all events of dropped messages tell.
fn dropped(events: &[ServerEvent]) -> u64 {
    let of = |event: &ServerEvent| match event {
        ServerEvent::Dropped { bytes, .. } => *bytes as u64,
        _ => 0,
    };
    events.iter().map(of).sum()
}

/// Bytes that were read of each client.
fn read_of(events: &[ServerEvent], of: impl Fn(ClientId) -> bool) -> u64 {
    let read = |event: &ServerEvent| match event {
        ServerEvent::Disconnected { client, bytes_in, .. } if of(*client) => *bytes_in,
        _ => 0,
    };
    events.iter().map(read).sum()
}

fn unsent(report: &ShutdownReport) -> u64 {
    report.cut_off.iter().map(|cut| cut.unsent_bytes as u64).sum()
}

/// Two clients talk, and a third has stopped reading: a message of each waits for it.
async fn two_wait_for_a_third(ends: impl AsyncFnOnce(&TcpServer) -> ShutdownReport) {
    let (server, mut events) = start(Relay::new(), OUTBOX).await;
    let _stalled = small_peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let mut one = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let mut other = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    // In lockstep, so that only the stalled one can be slow.
    while server.clients()[0].queued_bytes + MESSAGE <= OUTBOX {
        one.write_all(&[1; MESSAGE]).await.unwrap();
        assert_eq!(read_exactly(&mut other, MESSAGE).await, [1; MESSAGE]);
    }
    one.write_all(&[2; MESSAGE]).await.unwrap();
    assert_eq!(read_exactly(&mut other, MESSAGE).await, [2; MESSAGE]);
    other.write_all(&[3; MESSAGE]).await.unwrap();
    assert_eq!(read_exactly(&mut one, MESSAGE).await, [3; MESSAGE]);
    // What they would go on with, if it were read.
    for talker in [&mut one, &mut other] {
        talker.write_all(&[4; MESSAGE]).await.unwrap();
        delivered(talker);
    }
    let report = ends(&server).await;
    let ended = server.shutdown(HANG).await;
    let events = rest(&mut events).await;
    let totals = server.stats().snapshot().totals();
    assert_eq!(2 * read_of(&events, |_| true), totals.bytes_sent + totals.dropped_bytes);
    assert_eq!(dropped(&events), totals.dropped_bytes, "every loss has its event");
    for report in [report, ended] {
        assert_eq!(report.cut_off.len(), 3, "{report:?}");
        assert_eq!(unsent(&report), totals.dropped_bytes, "{report:?}");
    }
}

#[tokio::test]
async fn what_waits_for_a_stalled_client_is_counted() {
    two_wait_for_a_third(async |server| server.shutdown(Duration::ZERO).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_stalled_client_is_counted_by_several_threads() {
    two_wait_for_a_third(async |server| server.shutdown(Duration::ZERO).await).await;
}

#[tokio::test]
async fn what_waits_for_a_stalled_client_is_counted_at_once() {
    two_wait_for_a_third(async |server| server.cut_off()).await;
}

/// What was read at once is more than one message, and the beginning of a line.
#[tokio::test]
async fn what_a_relay_has_in_hand_is_counted() {
    let (server, mut events) = start(Relay::new().prefix("> "), MESSAGE).await;
    let _stalled = small_peer(server.local_addr()).await;
    let stalled = wait(&mut events, connected).await;
    let mut filling = 0;
    while server.clients()[0].queued_bytes == 0 {
        // It fits only into an outbox that is empty.
        server.send(stalled, Bytes::from_static(&[0; MESSAGE])).await.unwrap();
        filling += MESSAGE as u64;
    }
    let talker = peer(server.local_addr()).await;
    let talks = wait(&mut events, connected).await;
    // No other task has a turn before all of it is there: it is read at once.
    let said = [&vec![b'x'; 3 * MESSAGE][..], b"\nbegun"].concat();
    assert_eq!(SockRef::from(&talker).send(&said).unwrap(), said.len());
    delivered(&talker);
    while server.clients()[1].bytes_in == 0 {
        tokio::task::yield_now().await;
    }
    server.shutdown(Duration::ZERO).await;
    let events = rest(&mut events).await;
    let totals = server.stats().snapshot().totals();
    // Each of the two lines has the prefix.
    assert_eq!(read_of(&events, |client| client == talks), said.len() as u64);
    let expected = filling + said.len() as u64 + 2 * 2;
    assert_eq!(totals.bytes_sent + totals.dropped_bytes, expected);
    assert_eq!(dropped(&events), totals.dropped_bytes, "every loss has its event");
}
