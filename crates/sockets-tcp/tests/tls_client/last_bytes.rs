//! What was sent last over TLS: delivered, or told to be lost; and a reset that cost nothing.

use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::rustls::ServerConfig;
use sockets_tcp::{ClientEvent, CloseReason, Events, TcpClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{HANG, Trust, pair, trust};

/// How the connection ended, and what was told to have failed before.
async fn end(mut events: Events<ClientEvent>) -> (CloseReason, Vec<String>) {
    let mut failures = Vec::new();
    tokio::time::timeout(HANG, async {
        loop {
            match events.recv().await.unwrap() {
                ClientEvent::Error { failure } => {
                    failures.push(failure.to_string());
                }
                ClientEvent::Disconnected { reason, .. } => break reason,
                ClientEvent::Lagged { missed } => panic!("{missed} events missed"),
                _ => {}
            }
        }
    })
    .await
    .map(|reason| (reason, failures))
    .unwrap()
}

/// A client whose server has said something, ended its stream, and closed its socket.
async fn left_alone(trust: &Trust) -> (TcpClient, Events<ClientEvent>) {
    let (client, mut peer) = pair(trust).await;
    peer.write_all(b"bye").await.unwrap();
    peer.shutdown().await.unwrap();
    drop(peer);
    assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"bye"[..]));
    assert_eq!(client.recv().await.unwrap(), None, "the server's end");
    let events = client.events();
    (client, events)
}

/// Both versions: their records differ in length.
fn both_versions() -> [Trust; 2] {
    let old = trust_of(&sockets_tcp::rustls::version::TLS12);
    [trust(), old]
}

fn trust_of(version: &'static sockets_tcp::rustls::SupportedProtocolVersion) -> Trust {
    let trust = trust();
    let resolver = std::sync::Arc::clone(&trust.server.cert_resolver);
    let server = ServerConfig::builder_with_protocol_versions(&[version])
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    Trust { server: std::sync::Arc::new(server), ..trust }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_last_message_to_a_server_that_has_gone_does_not_look_delivered() {
    for trust in both_versions() {
        for message in [&b"!"[..], b"too late"].repeat(10) {
            let (client, events) = left_alone(&trust).await;
            client.send(Bytes::from_static(message)).await.unwrap();
            // Whether the end still went out before the reset came is not what this is about.
            let _ = client.finish().await;
            let (reason, failures) = end(events).await;
            assert_eq!(reason, CloseReason::Reset, "{failures:?}");
            assert_eq!(failures.len(), 1, "{failures:?}");
        }
    }
}

/// The server's kernel resets the connection for the end that answers its own: nothing is lost.
#[tokio::test]
async fn an_end_that_nobody_waits_for_is_no_failure() {
    for trust in both_versions() {
        for _ in 0..20 {
            let (client, events) = left_alone(&trust).await;
            client.finish().await.unwrap();
            assert_eq!(end(events).await, (CloseReason::PeerClosed, Vec::new()));
        }
    }
}

/// The same where data went before, and was acknowledged.
#[tokio::test]
async fn an_end_behind_what_was_taken_is_no_failure() {
    for trust in both_versions() {
        for _ in 0..20 {
            let (client, mut peer) = pair(&trust).await;
            client.send(Bytes::from_static(b"in time")).await.unwrap();
            let mut taken = [0; 7];
            peer.read_exact(&mut taken).await.unwrap();
            peer.shutdown().await.unwrap();
            drop(peer);
            assert_eq!(client.recv().await.unwrap(), None, "the server's end");
            let events = client.events();
            client.finish().await.unwrap();
            assert_eq!(end(events).await, (CloseReason::PeerClosed, Vec::new()));
        }
    }
}

#[tokio::test]
async fn the_last_message_to_a_server_that_takes_it_is_delivered() {
    let (client, mut peer) = pair(&trust()).await;
    peer.shutdown().await.unwrap();
    assert_eq!(client.recv().await.unwrap(), None, "the server's end");
    let events = client.events();
    client.send(Bytes::from_static(b"in time")).await.unwrap();
    let (finished, read) = tokio::join!(client.finish(), async {
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.map(|_| read)
    });
    finished.unwrap();
    assert_eq!(read.unwrap(), b"in time");
    assert_eq!(end(events).await, (CloseReason::PeerClosed, Vec::new()));
}

/// A server that reads nothing and closes: what it had taken and what it had not is reset.
#[tokio::test]
async fn a_large_last_message_to_a_server_that_goes_does_not_look_delivered() {
    let (client, mut peer) = pair(&trust()).await;
    let events = client.events();
    client.send(vec![7; 1 << 20].into()).await.unwrap();
    peer.shutdown().await.unwrap();
    drop(peer);
    let _ = tokio::time::timeout(Duration::from_mins(1), client.finish()).await.unwrap();
    let (reason, _) = end(events).await;
    assert!(!matches!(reason, CloseReason::PeerClosed | CloseReason::Local), "{reason}");
}
