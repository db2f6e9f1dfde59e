//! Clients that do not read: each policy, and the others' peace.

use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    ClientId, CloseReason, Connection, Discard, Events, SendError, ServerEvent, SlowPolicy,
    TcpServer, handler_fn,
};
use tokio::net::TcpStream;

use crate::support::{
    HANG, connected, peer, read_exactly, read_to_end, server, small_peer, tight_server, wait,
};

const MESSAGE: usize = 16 * 1024;

struct Scene {
    server: TcpServer,
    events: Events<ServerEvent>,
    stalled: TcpStream,
    stalled_id: ClientId,
    healthy: TcpStream,
}

async fn scene(policy: SlowPolicy) -> Scene {
    let builder = server(Discard).slow_policy(policy).queue_bytes(4 * MESSAGE);
    let server = builder.event_capacity(1 << 16).start().await.unwrap();
    let mut events = server.events();
    let connected = |event: &ServerEvent| match event {
        ServerEvent::Connected { client, .. } => Some(*client),
        _ => None,
    };
    let stalled = small_peer(server.local_addr()).await;
    let stalled_id = wait(&mut events, connected).await;
    let healthy = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    Scene { server, events, stalled, stalled_id, healthy }
}

fn message(number: u32) -> Bytes {
    let mut message = vec![0; MESSAGE];
    message[..4].copy_from_slice(&number.to_be_bytes());
    message.into()
}

/// Sends until one send fails; the error, and how many were accepted.
async fn send_until_refused(scene: &Scene) -> (SendError, u32) {
    let mut number = 0;
    tokio::time::timeout(HANG, async {
        loop {
            match scene.server.send(scene.stalled_id, message(number)).await {
                Ok(()) => number += 1,
                Err(error) => return (error, number),
            }
        }
    })
    .await
    .unwrap()
}

async fn the_healthy_one_is_served(scene: &mut Scene) {
    let report = scene.server.broadcast(message(7)).await;
    assert!(report.queued >= 1, "{report:?}");
    assert_eq!(read_exactly(&mut scene.healthy, MESSAGE).await, message(7));
}

fn slow_peer_left(event: &ServerEvent) -> Option<CloseReason> {
    match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[tokio::test]
async fn disconnect_ends_the_slow_one_with_a_reset() {
    let mut scene = scene(SlowPolicy::Disconnect).await;
    let (error, _) = send_until_refused(&scene).await;
    assert_eq!(error, SendError::SlowPeer { client: scene.stalled_id });
    assert_eq!(wait(&mut scene.events, slow_peer_left).await, CloseReason::SlowPeer);
    read_to_end(&mut scene.stalled).await.expect_err("a cut stream does not look whole");
    the_healthy_one_is_served(&mut scene).await;
    assert!(scene.server.stats().snapshot().totals().dropped_messages > 0);
}

#[tokio::test]
async fn block_waits_and_then_disconnects() {
    let mut scene = scene(SlowPolicy::Block(Duration::from_millis(20))).await;
    let (error, _) = send_until_refused(&scene).await;
    assert_eq!(error, SendError::SlowPeer { client: scene.stalled_id });
    assert_eq!(wait(&mut scene.events, slow_peer_left).await, CloseReason::SlowPeer);
    the_healthy_one_is_served(&mut scene).await;
}

#[tokio::test]
async fn block_lets_a_reader_catch_up() {
    let Scene { server, stalled_id, mut stalled, .. } = scene(SlowPolicy::Block(HANG)).await;
    let sending = async {
        for number in 0..400 {
            server.send(stalled_id, message(number)).await.unwrap();
        }
    };
    let reading = async {
        for number in 0..400 {
            assert_eq!(read_exactly(&mut stalled, MESSAGE).await, message(number));
        }
    };
    tokio::join!(sending, reading);
}

#[tokio::test]
async fn drop_newest_keeps_what_was_accepted() {
    let mut scene = scene(SlowPolicy::DropNewest).await;
    let (error, accepted) = send_until_refused(&scene).await;
    assert_eq!(error, SendError::Dropped { client: scene.stalled_id });
    the_healthy_one_is_served(&mut scene).await;
    for number in 0..accepted {
        assert_eq!(read_exactly(&mut scene.stalled, MESSAGE).await, message(number));
    }
    let lost = wait(&mut scene.events, |event| match event {
        ServerEvent::Dropped { messages, bytes, .. } => Some((*messages, *bytes)),
        _ => None,
    })
    .await;
    assert_eq!(lost, (1, MESSAGE));
}

#[tokio::test]
async fn drop_oldest_keeps_the_latest_whole_and_in_order() {
    let mut scene = scene(SlowPolicy::DropOldest).await;
    let (mut number, mut dropped) = (0, 0);
    while dropped < 10 {
        scene.server.send(scene.stalled_id, message(number)).await.unwrap();
        number += 1;
        while let Ok(received) = scene.events.try_recv() {
            if let ServerEvent::Dropped { messages, .. } = received {
                dropped += messages;
            }
        }
    }
    the_healthy_one_is_served(&mut scene).await;
    let mut last = None;
    while last != Some(number - 1) {
        let read = read_exactly(&mut scene.stalled, MESSAGE).await;
        let read = u32::from_be_bytes(read[..4].try_into().unwrap());
        assert!(last < Some(read), "{last:?} before {read}");
        last = Some(read);
    }
}

#[tokio::test]
async fn a_broadcast_waits_for_the_slow_one_no_longer_than_it_may() {
    let scene = scene(SlowPolicy::Block(Duration::from_millis(20))).await;
    let Scene { server, mut events, mut healthy, stalled, .. } = scene;
    let sending = async {
        let mut number = 0;
        loop {
            let report = server.broadcast(message(number)).await;
            assert!(report.queued >= 1, "{report:?}");
            number += 1;
            if report.disconnected == 1 {
                return number;
            }
        }
    };
    let sending = async {
        let sent = sending.await;
        server.shutdown(HANG).await;
        sent
    };
    let (sent, read) = tokio::join!(sending, async {
        let read = read_to_end(&mut healthy).await.unwrap();
        drop(healthy);
        read
    });
    assert!(read == (0..sent).flat_map(message).collect::<Vec<_>>(), "all {sent}, in order");
    assert_eq!(wait(&mut events, slow_peer_left).await, CloseReason::SlowPeer);
    drop(stalled);
}

#[tokio::test]
async fn a_broadcast_says_who_was_slow() {
    let mut scene = scene(SlowPolicy::DropNewest).await;
    send_until_refused(&scene).await;
    let report = scene.server.broadcast(message(1)).await;
    assert_eq!((report.queued, report.dropped, report.disconnected), (1, 1, 0));
    assert_eq!(read_exactly(&mut scene.healthy, MESSAGE).await, message(1));
}

#[tokio::test]
async fn defect_9_the_queue_of_a_client_that_does_not_read_is_bounded() {
    let scene = scene(SlowPolicy::DropNewest).await;
    send_until_refused(&scene).await;
    for _ in 0..1000 {
        scene.server.broadcast(message(0)).await;
        let clients = scene.server.clients();
        let slow = clients.iter().find(|client| client.id == scene.stalled_id).unwrap();
        assert!(slow.queued_bytes <= 4 * MESSAGE, "{slow:?}");
        if slow.dropped_messages > 50 {
            return;
        }
    }
    panic!("nothing was dropped");
}

#[tokio::test]
async fn a_handlers_write_and_messages_of_others_do_not_mix() {
    let handler = handler_fn(|mut connection: Connection| async move {
        for _ in 0..40 {
            connection.write_all(&vec![b'h'; 100_000]).await?;
        }
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    let client = wait(&mut events, |event| match event {
        ServerEvent::Connected { client, .. } => Some(*client),
        _ => None,
    })
    .await;
    let sending = async {
        let mut sent = 0;
        while server.send(client, Bytes::from(vec![b's'; 1000])).await.is_ok() {
            sent += 1;
            tokio::task::yield_now().await;
        }
        sent
    };
    let (sent, received) = tokio::join!(sending, read_to_end(&mut peer));
    let received = received.unwrap();
    assert_eq!(received.len(), 40 * 100_000 + sent * 1000);
    let mut rest = &received[..];
    while let Some(first) = rest.first() {
        let len = if *first == b'h' { 100_000 } else { 1000 };
        assert!(rest[..len].iter().all(|byte| byte == first), "a message was cut in two");
        rest = &rest[len..];
    }
}

#[tokio::test]
async fn drop_oldest_drops_nothing_for_a_message_that_does_not_fit_even_so() {
    const LARGE: usize = 1_000_000;
    let builder = tight_server(Discard).queue_bytes(LARGE).slow_policy(SlowPolicy::DropOldest);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let _stalled = small_peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    server.send(id, Bytes::from(vec![1; LARGE * 9 / 10])).await.unwrap();
    // The kernel takes a part of it: it stays, whatever comes.
    while server.clients()[0].bytes_out == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        server.send(id, Bytes::from(vec![2; 1000])).await.unwrap();
    }
    let queued = server.clients()[0].queued_messages;
    let error = server.send(id, Bytes::from(vec![3; LARGE])).await.unwrap_err();
    assert_eq!(error, SendError::Dropped { client: id });
    assert_eq!(server.clients()[0].queued_messages, queued);
    assert_eq!(server.clients()[0].dropped_messages, 1);
}
