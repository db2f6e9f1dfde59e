//! The end of a server: draining, cutting off, dropping.

use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    CloseReason, Connection, Discard, Echo, Relay, ServerEvent, SlowPolicy, handler_fn,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{HANG, peer, read_to_end, rest, server, small_peer, wait};

fn is_connected(event: &ServerEvent) -> Option<()> {
    matches!(event, ServerEvent::Connected { .. }).then_some(())
}

#[tokio::test]
async fn what_was_accepted_is_sent_before_the_end() {
    let server = server(Discard).queue_bytes(8 << 20).start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let message = Bytes::from(vec![7; 4 << 20]);
    assert_eq!(server.broadcast(message.clone()).await.queued, 1);
    let (report, read) = tokio::join!(server.shutdown(HANG), async {
        let read = read_to_end(&mut peer).await.unwrap();
        drop(peer);
        read
    });
    assert!(read == message, "all 4 MiB, then the end");
    assert_eq!((report.drained, report.cut_off.len()), (1, 0));
    assert_eq!(rest(&mut events).await.pop(), Some(ServerEvent::Closed));
}

#[tokio::test]
async fn input_under_way_is_served_or_told() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let (mut reader, mut writer) = peer(server.local_addr()).await.into_split();
    writer.write_all(&[1; 10_000]).await.unwrap();
    wait(&mut events, |event| matches!(event, ServerEvent::Data { .. }).then_some(())).await;
    let (report, echoed) = tokio::join!(server.shutdown(HANG), async {
        let echoed = read_to_end(&mut reader).await.unwrap();
        drop((reader, writer));
        echoed
    });
    assert_eq!((report.drained, report.cut_off.len()), (1, 0));
    let totals = server.stats().snapshot().totals();
    assert_eq!(totals.bytes_sent, echoed.len() as u64);
}

#[tokio::test]
async fn a_stalled_peer_is_cut_off_and_reported() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(&vec![1; 32 << 20]).await?;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let report = server.shutdown(Duration::from_millis(20)).await;
    assert_eq!((report.drained, report.cut_off.len()), (0, 1));
    let cut = report.cut_off[0];
    assert_eq!(cut.peer, peer.local_addr().unwrap());
    let totals = server.stats().snapshot().totals();
    assert_eq!(
        cut.unsent_bytes as u64 + totals.bytes_sent,
        32 << 20,
        "every byte is accounted for"
    );
    assert_eq!(totals.dropped_bytes, cut.unsent_bytes as u64);
    read_to_end(&mut peer).await.expect_err("a cut stream does not look whole");
    let reason = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Shutdown);
    wait(&mut events, |event| matches!(event, ServerEvent::Closed).then_some(())).await;
}

#[tokio::test]
async fn a_queue_that_does_not_get_out_is_reported_to_the_byte() {
    let server = server(Discard)
        .queue_bytes(64 << 20)
        .slow_policy(SlowPolicy::DropNewest)
        .start()
        .await
        .unwrap();
    let mut events = server.events();
    let _peer = small_peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let message = Bytes::from(vec![1; 16 << 20]);
    assert_eq!(server.broadcast(message.clone()).await.queued, 1);
    assert_eq!(server.broadcast(message).await.queued, 1);
    let report = server.shutdown(Duration::from_millis(20)).await;
    let unsent = report.cut_off[0].unsent_bytes as u64;
    assert_eq!(unsent + server.stats().snapshot().totals().bytes_sent, 32 << 20);
}

#[tokio::test]
async fn a_relay_delivers_before_any_stream_ends() {
    let server = server(Relay::new()).start().await.unwrap();
    let mut events = server.events();
    let mut speaker = peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let mut listener = peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    speaker.write_all(b"last words").await.unwrap();
    wait(&mut events, |event| matches!(event, ServerEvent::Data { .. }).then_some(())).await;
    let (report, heard) = tokio::join!(server.shutdown(HANG), async {
        drop(speaker);
        let heard = read_to_end(&mut listener).await.unwrap();
        drop(listener);
        heard
    });
    assert_eq!(heard, b"last words");
    assert_eq!(report.drained, 2);
}

#[tokio::test]
async fn after_a_shutdown_nobody_gets_in() {
    let server = server(Echo::new()).start().await.unwrap();
    let address = server.local_addr();
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.cut_off.len()), (0, 0));
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(server.info().socket.state(), ports_core::SocketState::Closed);
    assert_eq!(server.shutdown(HANG).await, report, "a second shutdown changes nothing");
}

#[tokio::test]
async fn dropping_the_server_ends_everything() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let stats = server.stats().clone();
    drop(server);
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"");
    let events = rest(&mut events).await;
    assert_eq!(events.last(), Some(&ServerEvent::Closed));
    assert_eq!(stats.snapshot().totals().active, 0);
}
