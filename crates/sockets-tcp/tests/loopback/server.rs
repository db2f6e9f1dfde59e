//! What a server does for its clients.

use bytes::Bytes;
use sockets_tcp::{
    ClientId, CloseReason, Connection, Discard, Echo, HandlerError, Operation, Relay, SendError,
    ServerEvent, handler_fn,
};
use tokio::io::AsyncWriteExt;

use crate::support::{any_port, pattern, peer, read_exactly, read_to_end, server, wait};

fn connected(event: &ServerEvent) -> Option<ClientId> {
    match event {
        ServerEvent::Connected { client, .. } => Some(*client),
        _ => None,
    }
}

fn disconnected(event: &ServerEvent) -> Option<CloseReason> {
    match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[tokio::test]
async fn echo_returns_every_byte() {
    let server = server(Echo::new()).event_capacity(1 << 16).start().await.unwrap();
    let mut events = server.events();
    let sent = pattern(4 << 20);
    let (mut reader, mut writer) = peer(server.local_addr()).await.into_split();
    let (echoed, ()) = tokio::join!(read_to_end(&mut reader), async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    assert!(echoed.unwrap() == sent, "4 MiB come back as they went");
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::PeerClosed);
}

#[tokio::test]
async fn broadcast_reaches_every_client_and_send_only_one() {
    let server = server(Discard).start().await.unwrap();
    let mut events = server.events();
    let mut first = peer(server.local_addr()).await;
    let first_id = wait(&mut events, connected).await;
    let mut second = peer(server.local_addr()).await;
    let second_id = wait(&mut events, connected).await;
    let ids: Vec<_> = server.clients().iter().map(|client| client.id).collect();
    assert_eq!(ids, [first_id, second_id]);

    let report = server.broadcast(Bytes::from_static(b"all")).await;
    assert_eq!((report.queued, report.dropped, report.disconnected), (2, 0, 0));
    server.send(second_id, Bytes::from_static(b"two")).await.unwrap();
    server.send(first_id, Bytes::from_static(b"one")).await.unwrap();
    assert_eq!(read_exactly(&mut first, 6).await, b"allone");
    assert_eq!(read_exactly(&mut second, 6).await, b"alltwo");
}

#[tokio::test]
async fn defect_13_sending_to_a_client_that_is_gone_is_an_error() {
    let server = server(Discard).start().await.unwrap();
    let mut events = server.events();
    drop(peer(server.local_addr()).await);
    let client = wait(&mut events, connected).await;
    wait(&mut events, disconnected).await;
    let error = server.send(client, Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, SendError::UnknownClient(_)));
    assert_eq!(error.to_string(), "there is no client 1: it is gone, or never was");
    assert!(server.disconnect(client).is_err());
    drop(peer(server.local_addr()).await);
    assert!(wait(&mut events, connected).await > client, "a number is never used again");
}

#[tokio::test]
async fn a_message_that_can_never_fit_is_refused() {
    let server = server(Discard).queue_bytes(10).start().await.unwrap();
    let mut events = server.events();
    let _peer = peer(server.local_addr()).await;
    let client = wait(&mut events, connected).await;
    let error = server.send(client, Bytes::from(vec![0; 11])).await.unwrap_err();
    assert_eq!(error, SendError::TooLarge { client, len: 11, limit: 10 });
    assert_eq!(server.broadcast(Bytes::from(vec![0; 11])).await.too_large, 1);
}

#[tokio::test]
async fn disconnect_flushes_what_was_sent_and_spares_the_others() {
    let server = server(Discard).start().await.unwrap();
    let mut events = server.events();
    let mut first = peer(server.local_addr()).await;
    let first_id = wait(&mut events, connected).await;
    let mut second = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    server.send(first_id, Bytes::from_static(b"goodbye")).await.unwrap();
    server.disconnect(first_id).unwrap();
    assert_eq!(read_to_end(&mut first).await.unwrap(), b"goodbye");
    drop(first);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Local);
    assert_eq!(server.broadcast(Bytes::from_static(b"still here")).await.queued, 1);
    assert_eq!(read_exactly(&mut second, 10).await, b"still here");
}

#[tokio::test]
async fn a_half_close_leaves_the_other_direction_open() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(b"hello").await?;
        connection.finish().await?;
        assert!(connection.write_all(b"late").await.is_err());
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
async fn one_more_than_the_most_waits_for_its_turn() {
    let server = server(Echo::new()).max_connections(1).start().await.unwrap();
    let mut events = server.events();
    let first = peer(server.local_addr()).await;
    let mut second = peer(server.local_addr()).await;
    second.write_all(b"x").await.unwrap();
    wait(&mut events, connected).await;
    assert_eq!(server.info().active, 1);
    drop(first);
    wait(&mut events, disconnected).await;
    wait(&mut events, connected).await;
    assert_eq!(read_exactly(&mut second, 1).await, b"x");
    assert_eq!(server.info().accepted, 2);
}

#[tokio::test]
async fn one_permit_serves_two_listeners() {
    let server = server(Echo::new()).bind(any_port()).max_connections(1).start().await.unwrap();
    let addresses = server.local_addrs().to_vec();
    for address in addresses.into_iter().rev() {
        let mut peer = peer(address).await;
        peer.write_all(b"x").await.unwrap();
        assert_eq!(read_exactly(&mut peer, 1).await, b"x");
    }
}

#[tokio::test]
async fn an_idle_connection_is_ended() {
    let timeout = std::time::Duration::from_millis(20);
    let server = server(Echo::new()).idle_timeout(timeout).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::IdleTimeout);
    read_to_end(&mut peer).await.expect_err("its handler was not done");
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_harms_only_itself() {
    let handler = handler_fn(|mut connection: Connection| async move {
        let mut byte = [0];
        connection.read(&mut byte).await?;
        assert_ne!(&byte, b"p", "as the test asked");
        if &byte == b"e" {
            return Err(HandlerError::from(std::io::Error::other("as the test asked")));
        }
        connection.write_all(b"fine").await?;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut bystander = peer(server.local_addr()).await;
    for (order, reason) in
        [(b"p", CloseReason::HandlerPanicked), (b"e", CloseReason::HandlerFailed)]
    {
        let mut victim = peer(server.local_addr()).await;
        victim.write_all(order).await.unwrap();
        let failure = wait(&mut events, |event| match event {
            ServerEvent::Error { client: Some(_), failure } => Some(failure.clone()),
            _ => None,
        })
        .await;
        assert_eq!(failure.operation(), Operation::Handler);
        assert!(failure.text().contains("as the test asked"), "{failure}");
        read_to_end(&mut victim).await.expect_err("it has no whole answer");
        assert_eq!(wait(&mut events, disconnected).await, reason);
    }
    bystander.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut bystander, 4).await, b"fine");
    let errors = server.stats().snapshot().totals().errors;
    assert_eq!(errors.count(stats::ErrorKind::Handler), 2);
}

#[tokio::test]
async fn defect_14_bytes_pass_untouched_and_lines_are_prefixed_once() {
    let server = server(Echo::new().prefix("Echo: ")).start().await.unwrap();
    let mut peer = peer(server.local_addr()).await;
    for piece in [&b"one \xff\xfe"[..], b"\x00 line\nand", b" another\n"] {
        peer.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    peer.shutdown().await.unwrap();
    let expected = b"Echo: one \xff\xfe\x00 line\nEcho: and another\n";
    assert_eq!(read_to_end(&mut peer).await.unwrap(), expected);
}

#[tokio::test]
async fn defect_4_statistics_are_what_went_over_the_socket() {
    let server = server(Echo::new().prefix("Echo: ")).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"Hello, world").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 18).await, b"Echo: Hello, world");
    drop(peer);
    let ended = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { bytes_in, bytes_out, .. } => Some((*bytes_in, *bytes_out)),
        _ => None,
    })
    .await;
    assert_eq!(ended, (12, 18));
    let totals = server.stats().snapshot().totals();
    assert_eq!((totals.bytes_received, totals.bytes_sent), (12, 18));
    assert_eq!((totals.active, totals.opened, totals.closed), (0, 1, 1));
}

#[tokio::test]
async fn a_relay_sends_to_all_but_the_sender() {
    let server = server(Relay::new()).start().await.unwrap();
    let mut events = server.events();
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(peer(server.local_addr()).await);
        wait(&mut events, connected).await;
    }
    peers[0].write_all(b"hello").await.unwrap();
    for other in [1, 2] {
        assert_eq!(read_exactly(&mut peers[other], 5).await, b"hello");
    }
    peers[1].write_all(b"reply").await.unwrap();
    assert_eq!(read_exactly(&mut peers[0], 5).await, b"reply", "its own words do not come back");
}

#[tokio::test]
async fn a_handler_may_use_both_directions_in_two_tasks() {
    let handler = handler_fn(|connection: Connection| async move {
        let (mut reader, mut writer) = connection.into_split();
        let (pieces, mut taken) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; 8192];
            while let Ok(read @ 1..) = reader.read(&mut buffer).await {
                pieces.send(buffer[..read].to_vec()).await.unwrap();
            }
        });
        let writing = tokio::spawn(async move {
            while let Some(piece) = taken.recv().await {
                writer.write_all(&piece).await.unwrap();
            }
        });
        reading.await?;
        writing.await?;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let sent = pattern(1 << 20);
    let (mut reader, mut writer) = peer(server.local_addr()).await.into_split();
    let (echoed, ()) = tokio::join!(read_to_end(&mut reader), async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    assert!(echoed.unwrap() == sent);
}

#[tokio::test]
async fn input_that_the_handler_left_does_not_reset_the_answer() {
    let handler = handler_fn(|mut connection: Connection| async move {
        let mut byte = [0];
        connection.read(&mut byte).await?;
        connection.send(Bytes::from(vec![7; 1 << 20])).await?;
        Ok(())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(&[1; 10_000]).await.unwrap();
    let answer = read_to_end(&mut peer).await.expect("the end comes in order");
    assert!(answer == vec![7; 1 << 20]);
    drop(peer);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Local);
}
