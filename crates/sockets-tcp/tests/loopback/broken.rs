//! Streams that do not come to their proper end: the peer, the handler and the books are told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    ClientEvent, ClientRecvError, CloseReason, Connection, ConnectionWriter, Discard, Echo,
    SendError, ServerEvent, SlowPolicy, TcpClient, handler_fn,
};
use stats::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::arrival::delivered;
use crate::support::{
    HANG, connected, disconnected, peer, read_exactly, read_to_end, reset, server, small_peer, wait,
};

const MUCH: usize = 32 << 20;

#[tokio::test]
async fn a_write_given_up_in_its_middle_ends_the_stream_in_a_reset() {
    let handler = handler_fn(|mut connection: Connection| async move {
        let much = vec![7; MUCH];
        let given_up = tokio::time::timeout(Duration::from_millis(20), connection.write_all(&much));
        assert!(given_up.await.is_err(), "the peer does not read");
        let after = connection.write_all(b"after the gap").await.unwrap_err();
        assert_eq!(after.kind(), std::io::ErrorKind::BrokenPipe);
        connection.finish().await.unwrap_err();
        connection.shutdown_token().cancelled().await;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    let dropped = wait(&mut events, |event| match event {
        ServerEvent::Dropped { bytes, .. } => Some(*bytes),
        _ => None,
    })
    .await;
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.cut_off.len()), (0, 1));
    assert_eq!(report.cut_off[0].unsent_bytes, dropped);
    assert_eq!(server.stats().snapshot().totals().bytes_sent + dropped as u64, MUCH as u64);
    read_to_end(&mut peer).await.expect_err("a cut stream does not look whole");
}

#[tokio::test]
async fn a_client_disconnected_in_the_middle_of_a_write_sees_a_reset() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(&vec![7; MUCH]).await?;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let client = TcpClient::builder(server.local_addr()).receive_queue(1).connect().await.unwrap();
    let mut told = client.events();
    let id = wait(&mut events, connected).await;
    client.recv().await.unwrap();
    server.disconnect(id).unwrap();
    let error = loop {
        if let Err(error) = client.recv().await.map(Option::unwrap) {
            break error;
        }
    };
    let ClientRecvError::Broken { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Local);
    let reason = wait(&mut told, |event| match event {
        ClientEvent::Disconnected { reason, .. } => Some(*reason),
        ClientEvent::HalfClosed => panic!("a cut stream looks whole"),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Reset);
}

#[tokio::test]
async fn a_half_that_is_kept_keeps_no_socket() {
    let kept: Arc<Mutex<Vec<ConnectionWriter>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let handler = handler_fn(move |connection: Connection| {
        let (mut reader, writer) = connection.into_split();
        keep.lock().unwrap().push(writer);
        async move {
            while reader.read(&mut [0; 9]).await? > 0 {}
            Ok(())
        }
    });
    let builder = server(handler).max_connections(1).slow_policy(SlowPolicy::Disconnect);
    let server = builder.queue_bytes(100_000).start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    while server.send(id, Bytes::from(vec![1; 50_000])).await.is_ok() {}
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::SlowPeer);
    read_to_end(&mut peer).await.expect_err("the peer is told, though a half is kept");
    let mut whole = small_peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    whole.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut whole).await.unwrap(), b"");
    let mut halves = std::mem::take(&mut *kept.lock().unwrap());
    assert_eq!(halves.len(), 2);
    for half in &mut halves {
        half.write_all(b"x").await.unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnecting_a_busy_client_is_no_failure_of_its_handler() {
    let builder = server(Echo::new()).event_capacity(1 << 16).linger(Duration::from_millis(20));
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    for _ in 0..20 {
        let (mut reader, mut writer) = peer(server.local_addr()).await.into_split();
        let id = wait(&mut events, connected).await;
        let writing =
            tokio::spawn(async move { while writer.write_all(&[0; 6000]).await.is_ok() {} });
        let mut scratch = vec![0; 60_000];
        reader.read_exact(&mut scratch).await.unwrap();
        let reading =
            tokio::spawn(
                async move { while matches!(reader.read(&mut scratch).await, Ok(1..)) {} },
            );
        server.disconnect(id).unwrap();
        let reason = wait(&mut events, |event| match event {
            ServerEvent::Disconnected { reason, .. } => Some(*reason),
            ServerEvent::Error { failure, .. } => {
                assert_ne!(failure.operation(), sockets_tcp::Operation::Handler, "{failure}");
                None
            }
            _ => None,
        })
        .await;
        // The peer goes on sending into the closed socket and may reset it while it lingers.
        assert!(matches!(reason, CloseReason::Local | CloseReason::Reset), "{reason}");
        reading.await.unwrap();
        writing.await.unwrap();
    }
    assert_eq!(server.stats().snapshot().totals().errors.count(ErrorKind::Handler), 0);
}

#[tokio::test]
async fn a_reader_that_outlives_its_connection_gets_an_error_again_and_again() {
    let (results, mut reads) = tokio::sync::mpsc::unbounded_channel();
    let handler = handler_fn(move |connection: Connection| {
        let (mut reader, _) = connection.into_split();
        let results = results.clone();
        tokio::spawn(async move {
            for _ in 0..3 {
                let read = reader.read(&mut [0; 100]).await.map_err(|error| error.kind());
                results.send(read).unwrap();
            }
        });
        std::future::pending()
    });
    let server = server(handler).idle_timeout(Duration::from_millis(20)).start().await.unwrap();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"half a mess").await.unwrap();
    assert_eq!(reads.recv().await, Some(Ok(11)));
    let aborted = Some(Err(std::io::ErrorKind::ConnectionAborted));
    assert_eq!([reads.recv().await, reads.recv().await], [aborted, aborted]);
}

#[tokio::test]
async fn a_reset_that_a_write_was_told_is_no_end_of_input() {
    let go = Arc::new(Notify::new());
    let (results, mut reads) = tokio::sync::mpsc::unbounded_channel();
    let wait_for = Arc::clone(&go);
    let handler = handler_fn(move |mut connection: Connection| {
        let (go, results) = (Arc::clone(&wait_for), results.clone());
        async move {
            go.notified().await;
            for _ in 0..3 {
                let read = connection.read(&mut [0; 100]).await.map_err(|error| error.kind());
                results.send(read).unwrap();
            }
            Ok(())
        }
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    peer.write_all(b"half a mess").await.unwrap();
    delivered(&peer);
    reset(peer);
    let error = server.send(id, Bytes::from_static(b"hi")).await.unwrap_err();
    assert_eq!(error, SendError::Closed { client: id });
    go.notify_one();
    assert_eq!(reads.recv().await, Some(Ok(11)));
    let failed = Some(Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!([reads.recv().await, reads.recv().await], [failed, failed]);
    let reason = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        ServerEvent::HalfClosed { .. } => panic!("a reset looks like the peer's end"),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Reset);
    let errors = server.stats().snapshot().totals().errors;
    assert_eq!((errors.count(ErrorKind::Write), errors.count(ErrorKind::Read)), (1, 0));
}

#[tokio::test]
async fn a_reset_that_a_read_was_told_ends_the_sending_too() {
    let handler = handler_fn(|mut connection: Connection| async move {
        for _ in 0..2 {
            let error = connection.read(&mut [0; 10]).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        connection.send(Bytes::from_static(b"x")).await.unwrap_err();
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    reset(peer);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Reset);
    let errors = server.stats().snapshot().totals().errors;
    assert_eq!((errors.count(ErrorKind::Read), errors.count(ErrorKind::Write)), (1, 0));
}

#[tokio::test]
async fn a_handler_that_panics_when_it_is_dropped_leaves_no_ghost() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("at its end");
        }
    }
    let handler = handler_fn(|connection: Connection| async move {
        let _grenade = Grenade;
        let _connection = connection;
        std::future::pending().await
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    server.disconnect(id).unwrap();
    read_to_end(&mut peer).await.expect_err("a handler that panics is not done");
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::HandlerPanicked);
    assert!(server.clients().is_empty());
}

#[tokio::test]
async fn a_close_after_a_failed_write_tells_what_was_lost() {
    let listener = tokio::net::TcpListener::bind(crate::support::any_port()).await.unwrap();
    let builder = TcpClient::builder(listener.local_addr().unwrap()).queue_bytes(MUCH);
    let connecting = builder.receive_queue(1).connect();
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    let (client, mut peer) = (client.unwrap(), accepted.unwrap().0);
    let mut events = client.events();
    // The one place there is for input is taken, so that the client does not read the reset.
    peer.write_all(b"x").await.unwrap();
    wait(&mut events, |event| matches!(event, ClientEvent::Data { .. }).then_some(())).await;
    client.send(Bytes::from(vec![1; MUCH])).await.unwrap();
    reset(peer);
    wait(&mut events, |event| matches!(event, ClientEvent::Dropped { .. }).then_some(())).await;
    let report = client.close().await;
    let sent = client.stats().snapshot().totals().bytes_sent;
    assert_eq!(report.unsent_bytes as u64 + sent, MUCH as u64);
    let reason = wait(&mut events, |event| match event {
        ClientEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Reset);
}

#[tokio::test]
async fn a_reset_while_lingering_is_a_reset_and_cut_off() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(&vec![7; 100_000]).await?;
        Ok(())
    });
    let server = server(handler).linger(HANG).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    assert_eq!(read_exactly(&mut peer, 100_000).await.len(), 100_000);
    assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0, "it lingers now");
    let (report, ()) = tokio::join!(server.shutdown(HANG), async { reset(peer) });
    assert_eq!(report.cut_off.len(), 1);
    assert_eq!(report.cut_off[0].reason, CloseReason::Reset);
    assert_eq!(server.stats().snapshot().totals().errors.count(ErrorKind::Read), 1);
}

#[tokio::test]
async fn a_queue_lost_to_a_reset_is_in_the_shutdown_report() {
    let server = server(Discard).queue_bytes(MUCH).start().await.unwrap();
    let mut events = server.events();
    let peer = small_peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    server.send(id, Bytes::from(vec![1; MUCH])).await.unwrap();
    let (report, ()) = tokio::join!(server.shutdown(HANG), async { reset(peer) });
    let cut = report.cut_off[0];
    assert_eq!(cut.reason, CloseReason::Reset);
    let sent = server.stats().snapshot().totals().bytes_sent;
    assert_eq!(cut.unsent_bytes as u64 + sent, MUCH as u64);
}
