//! What a server does over TLS as it does without.

use bytes::Bytes;
use sockets_tcp::{CloseReason, Connection, Discard, Echo, SlowPolicy, handler_fn};
use tokio::io::AsyncWriteExt;

use crate::support::{
    HANG, connected, disconnected, pattern, peer, read_exactly, read_to_end, server, wait,
};

#[tokio::test]
async fn echo_returns_every_byte_and_both_ends_are_proper() {
    let server = server(Echo::new()).event_capacity(1 << 16).start().await.unwrap();
    let mut events = server.events();
    let sent = pattern(4 << 20);
    let (mut reader, mut writer) = tokio::io::split(peer(server.local_addr()).await);
    let (echoed, ()) = tokio::join!(read_to_end(&mut reader), async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    assert!(echoed.unwrap() == sent, "4 MiB come back as they went");
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::PeerClosed);
    let totals = server.stats().snapshot().totals();
    assert_eq!((totals.bytes_received, totals.bytes_sent), (4 << 20, 4 << 20), "what is inside");
    assert_eq!(totals.errors.total(), 0);
}

/// As browsers go: their kernel resets the connection for the server's end that answers theirs.
#[tokio::test]
async fn a_client_that_closes_behind_its_own_end_has_failed_in_nothing() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    for _ in 0..20 {
        let mut peer = peer(server.local_addr()).await;
        peer.write_all(b"hello").await.unwrap();
        assert_eq!(read_exactly(&mut peer, 5).await, b"hello");
        peer.shutdown().await.unwrap();
        drop(peer);
        assert_eq!(wait(&mut events, disconnected).await, CloseReason::PeerClosed);
    }
    assert_eq!(server.stats().snapshot().totals().errors.total(), 0);
    let report = server.shutdown(HANG).await;
    assert!(report.cut_off.is_empty(), "{report:?}");
}

#[tokio::test]
async fn the_servers_end_leaves_the_other_direction_open() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(b"hello").await?;
        connection.finish().await?;
        let (mut buffer, mut total) = ([0; 16], 0);
        loop {
            match connection.read(&mut buffer).await? {
                0 => break,
                read => total += read,
            }
        }
        assert_eq!(total, 9);
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"hello");
    peer.write_all(b"after end").await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::PeerClosed);
}

#[tokio::test]
async fn handlers_and_senders_do_not_mix_their_bytes() {
    let handler = handler_fn(|mut connection: Connection| async move {
        for _ in 0..40 {
            connection.write_all(&vec![b'h'; 100_000]).await?;
        }
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let client = wait(&mut events, connected).await;
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
async fn a_shutdown_drains_what_arrived_and_what_is_queued() {
    const MUCH: usize = 8 << 20;
    let server = server(Echo::new()).queue_bytes(MUCH).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let client = wait(&mut events, connected).await;
    peer.write_all(b"arrived").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 7).await, b"arrived");
    server.send(client, Bytes::from(pattern(MUCH))).await.unwrap();
    let (report, received) = tokio::join!(server.shutdown(HANG), async {
        let received = read_to_end(&mut peer).await.unwrap();
        peer.shutdown().await.unwrap();
        received
    });
    assert!(received == pattern(MUCH));
    assert_eq!((report.drained, report.cut_off.len()), (1, 0), "{report:?}");
}

/// Nobody reads what it would cut short (RFC 8446 section 6.1).
#[tokio::test]
async fn a_client_that_answers_the_end_of_a_stop_by_closing_has_failed_in_nothing() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let (report, ()) = tokio::join!(server.shutdown(HANG), async {
        assert_eq!(read_to_end(&mut peer).await.unwrap(), b"");
        // No `close_notify` of its own.
        drop(peer);
    });
    assert_eq!((report.drained, report.cut_off.len()), (1, 0), "{report:?}");
    assert_eq!(server.stats().snapshot().totals().errors.total(), 0);
}

#[tokio::test]
async fn who_sends_on_after_a_stop_is_reset() {
    // What happens within the time that the test waits happens for another reason.
    let builder = server(Echo::new()).linger(HANG * 60);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let (report, ()) = tokio::join!(server.shutdown(HANG * 60), async {
        assert_eq!(read_to_end(&mut peer).await.unwrap(), b"");
        peer.write_all(b"late").await.unwrap();
        peer.flush().await.unwrap();
        #[cfg(target_os = "linux")]
        while peer.get_mut().0.write_all(b"no more").await.is_ok() {
            tokio::task::yield_now().await;
        }
        #[cfg(not(target_os = "linux"))]
        drop(peer);
    });
    let [unread] = report.unread[..] else { panic!("{report:?}") };
    assert_eq!((unread.bytes, report.cut_off.len()), (4, 0), "{report:?}");
}

#[tokio::test]
async fn every_byte_for_a_slow_client_is_sent_or_said_to_be_lost() {
    const MESSAGE: usize = 50_000;
    let builder = server(Discard).slow_policy(SlowPolicy::Disconnect).queue_bytes(8 * MESSAGE);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let client = wait(&mut events, connected).await;
    let mut offered = 0;
    loop {
        offered += MESSAGE as u64;
        if server.send(client, Bytes::from(vec![1; MESSAGE])).await.is_err() {
            break;
        }
    }
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::SlowPeer);
    let totals = server.stats().snapshot().totals();
    assert_eq!(totals.bytes_sent + totals.dropped_bytes, offered);
    read_to_end(&mut peer).await.expect_err("a cut stream does not look whole");
}
