//! Sending to all while some are slow, under the policy that waits.

use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{CloseReason, Discard, Relay, ServerEvent, SlowPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    HANG, connected, disconnected, peer, read_exactly, reset, server, small_peer, tight_server,
    wait,
};

const MESSAGE: usize = 8192;
const OUTBOX: usize = 16 * MESSAGE;
/// Far more than the kernel holds for a connection of a tight server.
const LARGE: usize = 1 << 20;

/// Whoever has room has the message before anybody is waited for; who sends is held up by the next.
#[tokio::test]
async fn a_relay_gives_a_message_to_all_who_have_room_before_it_waits() {
    let builder = tight_server(Relay::new()).slow_policy(SlowPolicy::Block(HANG));
    let builder = builder.queue_bytes(OUTBOX);
    let server = builder.event_capacity(1 << 16).start().await.unwrap();
    let mut events = server.events();
    let stalled = small_peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let mut listeners = Vec::new();
    for _ in 0..5 {
        listeners.push(peer(server.local_addr()).await);
        wait(&mut events, connected).await;
    }
    let mut speaker = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let queued = || server.clients()[0].queued_bytes;
    // In lockstep, so that only the stalled one can be slow.
    while queued() + MESSAGE <= OUTBOX {
        speaker.write_all(&[1; MESSAGE]).await.unwrap();
        for listener in &mut listeners {
            assert_eq!(read_exactly(listener, MESSAGE).await, [1; MESSAGE]);
        }
    }
    for round in 2..4 {
        speaker.write_all(&[round; MESSAGE]).await.unwrap();
        if round == 2 {
            // There is no room for it at the stalled one.
            for listener in &mut listeners {
                assert_eq!(read_exactly(listener, MESSAGE).await, [2; MESSAGE]);
            }
        }
    }
    assert!(queued() <= OUTBOX);
    let heard = server.clients().last().unwrap().bytes_in;
    reset(stalled);
    for listener in &mut listeners {
        assert_eq!(read_exactly(listener, MESSAGE).await, [3; MESSAGE]);
    }
    let speaker = server.clients().pop().unwrap();
    assert_eq!(speaker.bytes_in - heard, MESSAGE as u64, "the last one was not read before");
}

/// A client that always takes a little would hold everybody up for ever.
#[tokio::test]
async fn a_message_to_all_waits_for_a_dribbler_no_longer_than_for_one_that_stopped() {
    let patience = Duration::from_millis(200);
    let builder = tight_server(Discard).slow_policy(SlowPolicy::Block(patience));
    let server = builder.queue_bytes(LARGE).start().await.unwrap();
    let mut events = server.events();
    let mut dribbler = small_peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    server.send(id, Bytes::from(vec![1; LARGE])).await.unwrap();
    let mut healthy = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    // Its pace, not a wait for anything: all that is queued takes it seconds.
    let dribbling = tokio::spawn(async move {
        while matches!(dribbler.read(&mut [0; 2048]).await, Ok(1..)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let reading = tokio::spawn(async move { (read_exactly(&mut healthy, LARGE).await, healthy) });
    // It fits only into an outbox that is empty.
    let report = server.broadcast(Bytes::from(vec![2; LARGE])).await;
    assert_eq!((report.queued, report.disconnected), (1, 1), "{report:?}");
    let (read, _healthy) = reading.await.unwrap();
    assert!(read == vec![2; LARGE]);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::SlowPeer);
    dribbling.await.unwrap();
}

/// All that stopped are found out at the same time, by one message.
#[tokio::test]
async fn one_message_ends_all_that_stopped() {
    const STOPPED: usize = 10;
    let patience = Duration::from_millis(50);
    let builder = tight_server(Discard).slow_policy(SlowPolicy::Block(patience));
    let server = builder.queue_bytes(LARGE).event_capacity(1 << 16).start().await.unwrap();
    let mut events = server.events();
    let mut stopped = Vec::new();
    for _ in 0..STOPPED {
        stopped.push(small_peer(server.local_addr()).await);
        let id = wait(&mut events, connected).await;
        server.send(id, Bytes::from(vec![1; LARGE])).await.unwrap();
    }
    // It fits only into an outbox that is empty.
    let report = server.broadcast(Bytes::from(vec![2; LARGE])).await;
    assert_eq!((report.queued, report.disconnected), (0, STOPPED), "{report:?}");
    for _ in 0..STOPPED {
        let reason = wait(&mut events, |event| match event {
            ServerEvent::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(reason.await, CloseReason::SlowPeer);
    }
}

#[tokio::test]
async fn a_message_to_all_that_no_outbox_can_hold_is_told_as_too_large() {
    for policy in [SlowPolicy::Block(HANG), SlowPolicy::DropOldest, SlowPolicy::Disconnect] {
        let server = server(Discard).slow_policy(policy).queue_bytes(10).start().await.unwrap();
        let mut events = server.events();
        let _first = peer(server.local_addr()).await;
        wait(&mut events, connected).await;
        let report = server.broadcast(Bytes::from_static(b"more than 10")).await;
        assert_eq!((report.too_large, report.dropped, report.queued), (1, 0, 0), "{report:?}");
        let dropped = wait(&mut events, |event| match event {
            ServerEvent::Dropped { bytes, .. } => Some(*bytes),
            _ => None,
        });
        assert_eq!(dropped.await, 12);
    }
}

/// Every outbox has room for what a relay passes on, however small it is.
#[tokio::test]
async fn a_relay_cuts_what_it_passes_on_to_what_outboxes_hold() {
    const SMALL: usize = 1000;
    let said = b"a line that is longer than an outbox ".repeat(100);
    for (relay, prefix) in [(Relay::new(), &b""[..]), (Relay::new().prefix("> "), b"> ")] {
        let server = server(relay).queue_bytes(SMALL).start().await.unwrap();
        let mut events = server.events();
        let mut listener = peer(server.local_addr()).await;
        wait(&mut events, connected).await;
        let mut speaker = peer(server.local_addr()).await;
        speaker.write_all(&said).await.unwrap();
        speaker.write_all(b"\n").await.unwrap();
        let expected = [prefix, &said, b"\n"].concat();
        assert!(read_exactly(&mut listener, expected.len()).await == expected);
        assert_eq!(server.stats().snapshot().totals().dropped_bytes, 0);
    }
}
