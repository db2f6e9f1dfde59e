//! Handlers that send to some of the other clients, and what is told of their failures.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    ClientId, Connection, Discard, Echo, HandlerError, SendError, ServerEvent, ServerHandle,
    handler_fn,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::support::{connected, disconnected, peer, read_exactly, read_to_end, server, wait};

#[tokio::test]
async fn a_message_to_some_reaches_these_and_nobody_else() {
    let server = server(Discard).start().await.unwrap();
    let mut events = server.events();
    let (mut peers, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        peers.push(peer(server.local_addr()).await);
        ids.push(wait(&mut events, connected).await);
    }
    peers[3].shutdown().await.unwrap();
    wait(&mut events, disconnected).await;

    let report = server.send_to_each(&[ids[0], ids[2], ids[3]], Bytes::from_static(b"some")).await;
    assert_eq!((report.queued, report.closed, report.dropped), (2, 1, 0));
    let report = server.send_to_each(&[], Bytes::from_static(b"none")).await;
    assert_eq!((report.queued, report.closed), (0, 0));
    assert_eq!(server.broadcast(Bytes::from_static(b"all")).await.queued, 3);
    for (peer, expected) in peers.iter_mut().zip([&b"someall"[..], b"all", b"someall"]) {
        assert_eq!(read_exactly(peer, expected.len()).await, expected);
    }
}

#[tokio::test]
async fn a_handler_reaches_the_other_clients_of_its_server() {
    let (tell, mut told) = mpsc::unbounded_channel::<(ClientId, ServerHandle)>();
    let handler = handler_fn(move |mut connection: Connection| {
        let tell = tell.clone();
        async move {
            let _ = tell.send((connection.id(), connection.server()));
            connection.read(&mut [0]).await?;
            Ok(())
        }
    });
    let server = server(handler).start().await.unwrap();
    let mut first = peer(server.local_addr()).await;
    let (first_id, handle) = told.recv().await.unwrap();
    let mut second = peer(server.local_addr()).await;
    let (second_id, _) = told.recv().await.unwrap();
    let ids: Vec<ClientId> = handle.clients().iter().map(|info| info.id).collect();
    assert_eq!(ids, [first_id, second_id]);

    handle.send(second_id, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(read_exactly(&mut second, 1).await, b"x");
    assert_eq!(server.handle().broadcast(Bytes::from_static(b"y")).await.queued, 2);
    assert_eq!(read_exactly(&mut first, 1).await, b"y");
    handle.disconnect(first_id).unwrap();
    assert_eq!(read_to_end(&mut first).await.unwrap(), b"");
    second.write_all(b"z").await.unwrap();
    assert_eq!(read_to_end(&mut second).await.unwrap(), b"y");
    drop((first, second));

    assert!(server.shutdown(Duration::from_mins(1)).await.cut_off.is_empty());
    drop(server);
    let error = handle.send(second_id, Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, SendError::UnknownClient(_)), "{error:?}");
    assert!(handle.clients().is_empty());
}

#[derive(Debug, thiserror::Error)]
#[error("cannot look the order up")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("the table is locked")]
struct Inner;

/// Made of whatever becomes a box, as an error of `anyhow` does.
struct Foreign(&'static str);

impl From<Foreign> for Box<dyn std::error::Error + Send + Sync> {
    fn from(foreign: Foreign) -> Self {
        foreign.0.into()
    }
}

fn fail(order: u8) -> Result<(), HandlerError> {
    match order {
        b'1' => Err(Outer(Inner))?,
        b'2' => Err(Foreign("no error of its own"))?,
        _ => return Err("no such order".into()),
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_is_told_with_its_causes() {
    let handler = handler_fn(|mut connection: Connection| async move {
        let mut order = [0];
        connection.read(&mut order).await?;
        fail(order[0])
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut log = server.events();
    for (order, text) in [
        (b"1", "cannot look the order up: the table is locked"),
        (b"2", "no error of its own"),
        (b"3", "no such order"),
    ] {
        let mut peer = peer(server.local_addr()).await;
        peer.write_all(order).await.unwrap();
        let failure = wait(&mut events, |event| match event {
            ServerEvent::Error { failure, .. } => Some(failure.clone()),
            _ => None,
        });
        assert_eq!(failure.await.text(), text);
        let line = wait(&mut log, |event| {
            let line = serde_json::to_value(event).unwrap();
            (line["type"] == "error").then_some(line)
        });
        let line = line.await;
        assert_eq!(line["failure"], serde_json::json!({ "operation": "handler", "text": text }));
        assert!(line["client"].is_u64(), "{line}");
    }
    let report = serde_json::to_value(server.shutdown(Duration::ZERO).await).unwrap();
    assert_eq!(report["refused"], 0);
}

#[tokio::test]
async fn two_servers_may_have_one_handler() {
    let handler = Arc::new(Echo::new().prefix("> "));
    for _ in 0..2 {
        let server = server(Arc::clone(&handler)).start().await.unwrap();
        let mut peer = peer(server.local_addr()).await;
        peer.write_all(b"x\n").await.unwrap();
        assert_eq!(read_exactly(&mut peer, 4).await, b"> x\n");
    }
}
