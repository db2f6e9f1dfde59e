//! Connections that failed while their handlers wait for something else.

use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{CloseReason, Connection, handler_fn};
use stats::ErrorKind;

use crate::support::{HANG, connected, disconnected, peer, reset, server, wait};

/// It waits for something else for good, and others send to its client.
#[tokio::test]
async fn a_connection_that_failed_ends_though_its_handler_does_not_ask() {
    let handler = handler_fn(|connection: Connection| async move {
        connection.shutdown_token().cancelled().await;
        Ok(())
    });
    let builder = server(handler).linger(Duration::from_millis(20)).max_connections(1);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    reset(peer);
    assert_eq!(server.broadcast(Bytes::from_static(b"hi")).await.closed, 1);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Reset);
    assert!(server.clients().is_empty());
}

/// Either half tells the same of the connection, and the failure of it.
#[tokio::test]
async fn both_halves_know_their_connection() {
    let handler = handler_fn(|connection: Connection| async move {
        let (id, tuple) = (connection.id(), connection.five_tuple());
        let closed = connection.closed();
        let (mut reader, writer) = connection.into_split();
        assert_eq!((reader.id(), writer.id()), (id, id));
        assert_eq!((reader.five_tuple(), writer.five_tuple()), (tuple, tuple));
        assert_eq!(writer.peer_addr(), tuple.remote);
        assert_eq!(reader.local_addr(), tuple.local);
        assert!(!writer.peer_ended() && !writer.shutdown_requested());
        tokio::select! {
            biased;
            read = reader.read_chunk() => panic!("nothing comes: {read:?}"),
            () = writer.shutdown_token().cancelled() => panic!("it does not stop"),
            () = std::future::ready(()) => {}
        }
        closed.await;
        assert_eq!(reader.info().id, id);
        Ok(())
    });
    let server = server(handler).linger(HANG).start().await.unwrap();
    let mut events = server.events();
    let peer = peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    reset(peer);
    server.send(id, Bytes::from_static(b"hi")).await.unwrap_err();
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Reset);
    assert_eq!(server.stats().snapshot().totals().errors.count(ErrorKind::Handler), 0);
}
