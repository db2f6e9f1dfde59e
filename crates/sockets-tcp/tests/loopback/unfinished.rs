//! Handlers that do not come to their end: what they sent never looks like a whole answer.

use std::time::Duration;

use sockets_tcp::{CloseReason, Connection, HandlerError, ServerEvent, handler_fn};
use tokio::io::AsyncWriteExt;

use crate::support::{
    HANG, connected, disconnected, peer, read_exactly, read_to_end, server, wait,
};

/// Half an answer, and then what the client asked for: `e`rror, `p`anic, or `w`ait for ever.
async fn half_an_answer(mut connection: Connection) -> Result<(), HandlerError> {
    let mut order = [0];
    connection.read(&mut order).await?;
    connection.write_all(b"half").await?;
    match &order {
        b"e" => Err(std::io::Error::other("as the test asked").into()),
        b"p" => panic!("as the test asked"),
        _ => std::future::pending().await,
    }
}

#[tokio::test]
async fn an_answer_that_an_error_or_a_panic_cut_short_ends_in_a_reset() {
    let server = server(handler_fn(half_an_answer)).start().await.unwrap();
    let mut events = server.events();
    for (order, expected) in
        [(b"e", CloseReason::HandlerFailed), (b"p", CloseReason::HandlerPanicked)]
    {
        let mut peer = peer(server.local_addr()).await;
        peer.write_all(order).await.unwrap();
        read_to_end(&mut peer).await.expect_err("half an answer does not look whole");
        assert_eq!(wait(&mut events, disconnected).await, expected);
    }
}

#[tokio::test]
async fn a_handler_that_is_dropped_in_its_answer_ends_it_in_a_reset() {
    let builder = server(handler_fn(half_an_answer)).idle_timeout(Duration::from_millis(20));
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let mut idle = peer(server.local_addr()).await;
    idle.write_all(b"w").await.unwrap();
    read_to_end(&mut idle).await.expect_err("half an answer does not look whole");
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::IdleTimeout);
}

#[tokio::test]
async fn a_grace_that_is_over_ends_answers_in_a_reset() {
    let server = server(handler_fn(half_an_answer)).start().await.unwrap();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"w").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 4).await, b"half");
    let report = server.shutdown(Duration::from_millis(20)).await;
    assert_eq!(report.cut_off.len(), 1);
    read_to_end(&mut peer).await.expect_err("half an answer does not look whole");
}

#[test]
fn a_server_that_is_dropped_or_loses_its_runtime_ends_answers_in_a_reset() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for loses_its_runtime in [false, true] {
        let (gone, still) = (runtime(), runtime());
        let (server, peer) = gone.block_on(async {
            let server = server(handler_fn(half_an_answer)).start().await.unwrap();
            let mut peer = peer(server.local_addr()).await;
            peer.write_all(b"w").await.unwrap();
            assert_eq!(read_exactly(&mut peer, 4).await, b"half");
            (server, peer.into_std().unwrap())
        });
        if loses_its_runtime {
            drop(gone);
        } else {
            let mut events = server.events();
            drop(server);
            gone.block_on(wait(&mut events, disconnected));
        }
        still.block_on(async {
            let mut peer = tokio::net::TcpStream::from_std(peer).unwrap();
            read_to_end(&mut peer).await.expect_err("half an answer does not look whole");
        });
    }
}

/// The handler said that this is all; what becomes of it later is no part of the answer.
#[tokio::test]
async fn an_answer_that_was_ended_before_the_handler_failed_is_whole() {
    let handler = handler_fn(|mut connection: Connection| async move {
        let mut order = [0];
        connection.read(&mut order).await?;
        connection.write_all(b"all of it").await?;
        connection.finish().await?;
        assert_ne!(&order, b"p", "as the test asked");
        Err(std::io::Error::other("as the test asked").into())
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    for (order, expected) in
        [(b"e", CloseReason::HandlerFailed), (b"p", CloseReason::HandlerPanicked)]
    {
        let mut peer = peer(server.local_addr()).await;
        peer.write_all(order).await.unwrap();
        assert_eq!(read_to_end(&mut peer).await.unwrap(), b"all of it");
        drop(peer);
        assert_eq!(wait(&mut events, disconnected).await, expected);
    }
}

#[tokio::test]
async fn that_it_ends_as_a_whole_one_is_a_choice() {
    let builder = server(handler_fn(half_an_answer)).reset_unfinished(false);
    let server = builder.idle_timeout(Duration::from_millis(20)).start().await.unwrap();
    let mut events = server.events();
    for (order, reason) in [
        (b"e", CloseReason::HandlerFailed),
        (b"p", CloseReason::HandlerPanicked),
        (b"w", CloseReason::IdleTimeout),
    ] {
        let mut peer = peer(server.local_addr()).await;
        peer.write_all(order).await.unwrap();
        assert_eq!(read_to_end(&mut peer).await.unwrap(), b"half");
        drop(peer);
        assert_eq!(wait(&mut events, disconnected).await, reason);
    }
}

/// That is no accident: the one who calls it wants an end.
#[tokio::test]
async fn a_client_that_is_disconnected_sees_an_end() {
    let server = server(handler_fn(half_an_answer)).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let client = wait(&mut events, connected).await;
    peer.write_all(b"w").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 4).await, b"half");
    server.disconnect(client).unwrap();
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"");
    let (report, ()) = tokio::join!(server.shutdown(HANG), async { drop(peer) });
    assert!(report.cut_off.is_empty());
    let closed = |event: &ServerEvent| matches!(event, ServerEvent::Closed).then_some(());
    wait(&mut events, closed).await;
}
