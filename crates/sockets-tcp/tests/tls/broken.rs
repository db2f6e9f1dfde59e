//! Peers that are no TLS, or stop being any: they are told from proper ends, and harm nobody.

use std::time::Duration;

use sockets_tcp::{CloseReason, Connection, Discard, Echo, Operation, ServerEvent, handler_fn};
use stats::ErrorKind;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::clock::stop_clock;
use crate::support::{
    HANG, connected, disconnected, handshake_failed, peer, read_exactly, read_to_end, secured,
    server, wait,
};

#[tokio::test]
async fn garbage_is_no_handshake_and_is_told_and_counted() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let garbage: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0; 600], &[0xFF; 16_000], &[0x16, 3, 1, 0, 4, 9, 9, 9, 9]];
    for garbage in garbage {
        let mut peer = TcpStream::connect(server.local_addr()).await.unwrap();
        // The server may have closed it before all is out.
        let _ = peer.write_all(garbage).await;
        let failure = wait(&mut events, handshake_failed).await;
        assert!(failure.starts_with("handshake: "), "{failure}");
        // An alert, or a reset that overtakes it; never silence.
        let _ = read_to_end(&mut peer).await;
    }
    let info = server.info();
    assert_eq!((info.handshakes_failed, info.accepted, info.active), (4, 0, 0));
    let totals = server.stats().snapshot().totals();
    assert_eq!((totals.errors.count(ErrorKind::Handshake), totals.opened), (4, 0));

    let mut honest = peer(server.local_addr()).await;
    honest.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut honest, 1).await, b"x");
}

#[tokio::test]
async fn a_peer_that_leaves_in_the_handshake_is_told() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    drop(TcpStream::connect(server.local_addr()).await.unwrap());
    wait(&mut events, handshake_failed).await;
}

#[tokio::test]
async fn a_handshake_that_stands_still_holds_up_nobody_and_ends() {
    let limit = Duration::from_millis(300);
    let _clock = stop_clock();
    let server = server(Echo::new()).handshake_timeout(limit).start().await.unwrap();
    let mut events = server.events();
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut honest = peer(server.local_addr()).await;
    honest.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut honest, 1).await, b"x");
    wait(&mut events, connected).await;
    tokio::time::advance(limit * 2).await;
    let failure = wait(&mut events, handshake_failed).await;
    assert_eq!(failure, "handshake: the TLS handshake took longer than 300ms");
    tokio::time::resume();
    assert_eq!(read_to_end(&mut silent).await.unwrap(), b"");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handshakes() {
    let server = server(Echo::new()).handshake_timeout(HANG).start().await.unwrap();
    let mut events = server.events();
    let _silent = TcpStream::connect(server.local_addr()).await.unwrap();
    // Accepted before it, so the other one is, too.
    let mut honest = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    honest.shutdown().await.unwrap();
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.cut_off.len()), (1, 0));
    assert_eq!(server.info().handshakes_failed, 1);
}

/// A stream that is cut looks like its end, but for `close_notify`.
#[tokio::test]
async fn an_end_without_its_notice_is_a_failure() {
    let handler = handler_fn(|mut connection: Connection| async move {
        let mut buffer = [0; 16];
        assert_eq!(connection.read(&mut buffer).await?, 4);
        let error = connection.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        Err(error.into())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"half").await.unwrap();
    peer.flush().await.unwrap();
    let (mut tcp, _session) = peer.into_inner();
    tcp.shutdown().await.unwrap();
    let failure = wait(&mut events, |event| match event {
        ServerEvent::Error { failure, .. } => Some(failure.clone()),
        ServerEvent::HalfClosed { .. } => panic!("a cut stream looks whole"),
        _ => None,
    })
    .await;
    assert_eq!(failure.operation(), Operation::Read);
    assert!(failure.text().contains("close_notify"), "{failure}");
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::TlsFailed);
}

#[tokio::test]
async fn garbage_within_a_session_ends_it() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let (mut tcp, _session) = peer(server.local_addr()).await.into_inner();
    // Until then it is within the handshake, and no client's.
    wait(&mut events, connected).await;
    tcp.write_all(&[0x17, 3, 3, 0, 32]).await.unwrap();
    tcp.write_all(&[7; 32]).await.unwrap();
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::TlsFailed);
    assert_eq!(server.stats().snapshot().totals().errors.count(ErrorKind::Read), 1);
    read_to_end(&mut tcp).await.unwrap();
}

#[tokio::test]
async fn a_client_disconnected_in_the_middle_of_a_write_does_not_see_an_end() {
    const MUCH: usize = 32 << 20;
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(&vec![7; MUCH]).await?;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let tcp = TcpStream::connect(server.local_addr()).await.unwrap();
    let mut peer = secured(tcp).await.unwrap();
    let id = wait(&mut events, connected).await;
    read_exactly(&mut peer, 1000).await;
    server.disconnect(id).unwrap();
    read_to_end(&mut peer).await.expect_err("a cut stream does not look whole");
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Local);
    let totals = server.stats().snapshot().totals();
    assert_eq!(totals.bytes_sent + totals.dropped_bytes, MUCH as u64);
}

/// Data that is always there already leaves a turn for the end of its own connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_stops_sending_is_ended_all_the_same() {
    let builder = server(Discard).linger(Duration::ZERO).event_capacity(1 << 16);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let client = wait(&mut events, connected).await;
    let flood = tokio::spawn(async move {
        let much = vec![7; 1 << 20];
        while peer.write_all(&much).await.is_ok() {}
    });
    wait(&mut events, |event| matches!(event, ServerEvent::Data { .. }).then_some(())).await;
    server.disconnect(client).unwrap();
    let ended = tokio::time::timeout(HANG, async {
        while server.info().active > 0 {
            tokio::task::yield_now().await;
        }
    });
    ended.await.unwrap();
    flood.await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_the_end_of_the_server_cuts_off_is_in_the_report() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let waiting = TcpStream::connect(server.local_addr()).await.unwrap();
    // Connections are accepted in their order: with this one's end the first is in its handshake.
    drop(TcpStream::connect(server.local_addr()).await.unwrap());
    wait(&mut events, handshake_failed).await;
    let report = server.shutdown(HANG).await;
    assert_eq!((report.refused, report.drained, report.cut_off.len()), (1, 0, 0), "{report:?}");
    let failure = wait(&mut events, handshake_failed).await;
    assert!(failure.contains("the server stopped"), "{failure}");
    drop(waiting);
}

#[tokio::test]
async fn a_handshake_that_the_end_of_the_server_cuts_off_ends_in_a_reset() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    // Accepted in its turn, before the other one.
    let honest = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    drop(honest);
    let report = server.shutdown(HANG).await;
    assert_eq!(report.refused, 1, "{report:?}");
    read_to_end(&mut silent).await.expect_err("cut off, as one is in the backlog");
}
