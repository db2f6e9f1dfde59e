//! The end of a server: draining, cutting off, dropping.

use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use sockets_tcp::{
    CloseReason, Connection, Discard, Echo, Relay, ServerEvent, SlowPolicy, TcpServer, handler_fn,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::arrival::delivered;
use crate::support::{
    HANG, peer, read_exactly, read_to_end, reserved, reset, rest, server, small_peer, wait,
};

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

/// Nothing has read the end when the server begins to drain.
#[tokio::test]
async fn an_end_that_comes_with_the_shutdown_is_told() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"hello").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 5).await, b"hello");
    // From here to the beginning of the shutdown no other task has a turn.
    SockRef::from(&peer).shutdown(Shutdown::Write).unwrap();
    delivered(&peer);
    drop(peer);
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.cut_off.len()), (1, 0));
    let told = rest(&mut events).await;
    let ends = told.iter().filter(|event| matches!(event, ServerEvent::HalfClosed { .. }));
    assert_eq!(ends.count(), 1, "{told:?}");
    let reason = told.iter().find_map(crate::support::disconnected);
    assert_eq!(reason, Some(CloseReason::PeerClosed), "{told:?}");
}

/// Nothing has read the reset when the server begins to drain. A grace that is waited for to its end
/// would make it a client that is cut off by the shutdown.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reset_that_comes_with_the_shutdown_is_waited_for_by_nobody() {
    let server = server(Discard).start().await.unwrap();
    let mut events = server.events();
    let peer = small_peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let message = Bytes::from(vec![7; 64 << 10]);
    assert_eq!(server.broadcast(message).await.queued, 1);
    while server.clients()[0].queued_bytes > 0 {
        tokio::task::yield_now().await;
    }
    // From here to the beginning of the shutdown no other task has a turn.
    reset(peer);
    let report = server.shutdown(HANG).await;
    let [cut] = report.cut_off[..] else { panic!("{report:?}") };
    assert_eq!((cut.reason, cut.unsent_bytes), (CloseReason::Reset, 0), "{cut:?}");
    assert!(cut.unacknowledged_bytes > 0, "{cut:?}");
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
async fn a_relay_of_two_servers_waits_for_the_clients_of_the_one_that_ends() {
    let relay = Arc::new(Relay::new());
    let ending = server(Arc::clone(&relay)).start().await.unwrap();
    let other = server(relay).start().await.unwrap();
    let (mut events, mut others) = (ending.events(), other.events());
    let mut stays = peer(other.local_addr()).await;
    wait(&mut others, is_connected).await;
    let mut ends = peer(ending.local_addr()).await;
    wait(&mut events, is_connected).await;
    let (report, ()) = tokio::join!(ending.shutdown(HANG), async {
        assert!(read_to_end(&mut ends).await.unwrap().is_empty());
        drop(ends);
    });
    assert_eq!((report.drained, report.cut_off.len()), (1, 0));
    assert_eq!(other.info().active, 1);
    stays.shutdown().await.unwrap();
    assert_eq!(other.shutdown(HANG).await.cut_off.len(), 0);
}

#[tokio::test]
async fn a_relay_puts_its_prefix_before_each_line_and_keeps_lines_whole() {
    let server = server(Relay::new().prefix("> ")).start().await.unwrap();
    let mut events = server.events();
    let mut speaker = peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let mut listener = peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    for piece in ["on", "e\ntwo\nth", "ree"] {
        speaker.write_all(piece.as_bytes()).await.unwrap();
        wait(&mut events, |event| matches!(event, ServerEvent::Data { .. }).then_some(())).await;
    }
    speaker.shutdown().await.unwrap();
    assert_eq!(read_exactly(&mut listener, 19).await, b"> one\n> two\n> three");
}

#[tokio::test]
async fn after_a_shutdown_nobody_gets_in() {
    let (_reserved, address) = reserved();
    let builder = TcpServer::builder().bind(address).handler(Echo::new());
    let server = builder.start().await.unwrap();
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
    read_to_end(&mut peer).await.expect_err("its handler was not done");
    let events = rest(&mut events).await;
    assert_eq!(events.last(), Some(&ServerEvent::Closed));
    assert_eq!(stats.snapshot().totals().active, 0);
}

#[test]
fn a_server_whose_runtime_is_gone_is_shut_down_all_the_same() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (gone, still) = (runtime(), runtime());
    let (server, mut events, mut peer) = gone.block_on(async {
        let server = server(Echo::new()).start().await.unwrap();
        let mut events = server.events();
        let peer = peer(server.local_addr()).await.into_std().unwrap();
        wait(&mut events, is_connected).await;
        (server, events, peer)
    });
    drop(gone);
    let report = still.block_on(server.shutdown(HANG));
    assert_eq!((report.drained, report.cut_off.len()), (0, 0), "it ended before");
    assert!(server.clients().is_empty());
    peer.set_nonblocking(false).unwrap();
    std::io::Read::read(&mut peer, &mut [0; 1]).expect_err("its handler was not done");
    let events = still.block_on(rest(&mut events));
    assert_eq!(events.last(), Some(&ServerEvent::Closed));
}

#[test]
fn a_server_whose_runtime_stands_still_is_reported_after_the_grace() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (still, running) = (runtime(), runtime());
    let (server, _peer) = still.block_on(async {
        let server = server(Echo::new()).start().await.unwrap();
        let mut events = server.events();
        let peer = peer(server.local_addr()).await;
        wait(&mut events, is_connected).await;
        (server, peer)
    });
    let report = running.block_on(server.shutdown(Duration::from_millis(20)));
    assert_eq!((report.drained, report.cut_off.len()), (0, 1));
    assert_eq!(report.cut_off[0].reason, CloseReason::Shutdown);
}

#[tokio::test]
async fn a_handler_that_ends_with_the_token_is_in_the_report() {
    let handler = handler_fn(|connection: Connection| async move {
        connection.shutdown_token().cancelled().await;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.shutdown().await.unwrap();
    wait(&mut events, is_connected).await;
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.cut_off.len()), (1, 0));
}

#[tokio::test]
async fn a_handler_that_panics_while_it_drains_is_not_drained() {
    let handler = handler_fn(|connection: Connection| async move {
        connection.shutdown_token().cancelled().await;
        panic!("no");
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.shutdown().await.unwrap();
    wait(&mut events, is_connected).await;
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.cut_off.len()), (0, 1));
    assert_eq!(report.cut_off[0].reason, CloseReason::HandlerPanicked);
}

#[tokio::test]
async fn only_the_grace_bounds_how_long_a_peer_may_pause() {
    const LINGER: Duration = Duration::from_millis(5);
    let builder = server(Discard).queue_bytes(32 << 20).linger(LINGER);
    let server = std::sync::Arc::new(builder.start().await.unwrap());
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    wait(&mut events, is_connected).await;
    let message = Bytes::from(vec![7; 16 << 20]);
    assert_eq!(server.broadcast(message.clone()).await.queued, 1);
    let stopping = std::sync::Arc::clone(&server);
    let stopping = tokio::spawn(async move { stopping.shutdown(HANG).await });
    // The pause is what is tested: many times as long as the linger.
    tokio::time::sleep(LINGER * 20).await;
    assert!(read_to_end(&mut peer).await.unwrap() == message);
    drop(peer);
    let report = stopping.await.unwrap();
    assert_eq!((report.drained, report.cut_off.len()), (1, 0));
}
