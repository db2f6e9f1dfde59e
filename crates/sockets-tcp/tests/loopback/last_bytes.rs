//! What was sent last: delivered, or told to be lost.

use bytes::Bytes;
use sockets_tcp::{ClientEvent, CloseReason, Echo, ServerEvent, TcpClient};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{any_port, disconnected, peer, read_exactly, read_to_end, server, wait};

/// The server has closed its socket before the client's only message comes: its kernel answers with
/// a reset, which nothing that follows would show.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_last_message_to_a_server_that_has_gone_does_not_look_delivered() {
    for message in [&b"!"[..], b"too late"].repeat(20) {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let client = TcpClient::builder(listener.local_addr().unwrap()).connect().await.unwrap();
        drop(listener.accept().await.unwrap());
        assert_eq!(client.recv().await.unwrap(), None, "the server's end");
        let mut events = client.events();
        client.send(Bytes::from_static(message)).await.unwrap();
        client.finish().await.unwrap();
        let reason = wait(&mut events, |event| match event {
            ClientEvent::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        })
        .await;
        assert_eq!(reason, CloseReason::Reset);
    }
}

#[tokio::test]
async fn the_last_message_to_a_server_that_takes_it_is_delivered() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let client = TcpClient::builder(listener.local_addr().unwrap()).connect().await.unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(client.recv().await.unwrap(), None, "the server's end");
    let mut events = client.events();
    client.send(Bytes::from_static(b"in time")).await.unwrap();
    client.finish().await.unwrap();
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"in time");
    let reason = wait(&mut events, |event| match event {
        ClientEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::PeerClosed);
}

#[tokio::test]
async fn a_line_without_an_end_ends_the_echo_behind_a_prefix_and_is_told() {
    let echo = Echo::new().prefix("> ").longest_line(1000);
    let server = server(echo).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"short\n").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 8).await, b"> short\n");
    peer.write_all(&[b'x'; 1001]).await.unwrap();
    let failure = wait(&mut events, |event| match event {
        ServerEvent::Error { failure, .. } => Some(failure.clone()),
        _ => None,
    })
    .await;
    assert!(failure.text().ends_with("exceeds the limit of 1000 bytes"), "{failure}");
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::HandlerFailed);
    read_to_end(&mut peer).await.expect_err("the answer is not whole");
}
