//! What a client does on one connection: receive, send, end.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use bytes::Bytes;
use ports_core::SocketState;
use socket2::{Domain, Socket, Type};
use sockets_tcp::{
    ClientEvent, ClientSendError, ConnectError, Discard, Echo, Reconnect, TcpClient, TcpServer,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{
    any_port, pattern, read_exactly, read_to_end, reserved, reserved_by_both, rest, server, wait,
};

/// Fills an outbox of its size.
const MESSAGE: usize = 64 * 1024;

async fn connect(server: &TcpServer) -> TcpClient {
    TcpClient::builder(server.local_addr()).connect().await.unwrap()
}

#[tokio::test]
async fn what_is_sent_comes_back_to_the_last_byte() {
    let server = server(Echo::new()).start().await.unwrap();
    let client = connect(&server).await;
    assert_eq!(client.info().state(), SocketState::Connected);
    assert_eq!(client.peer_addr(), Some(server.local_addr()));
    assert_eq!(client.local_addr(), Some(client.info().local()));
    let sent = pattern(4 << 20);
    let sending = async {
        for piece in sent.chunks(50_000) {
            client.send(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        client.finish().await.unwrap();
    };
    let receiving = async {
        let mut received = Vec::new();
        while let Some(piece) = client.recv().await.unwrap() {
            received.extend_from_slice(&piece);
        }
        received
    };
    let ((), received) = tokio::join!(sending, receiving);
    assert!(received == sent);
    let mut events = client.events();
    assert!(matches!(rest(&mut events).await.pop(), Some(ClientEvent::Closed)));
    let totals = client.stats().snapshot().totals();
    assert_eq!((totals.bytes_sent, totals.bytes_received), (4 << 20, 4 << 20));
    assert_eq!((totals.active, totals.opened), (0, 1));
}

#[tokio::test]
async fn after_the_servers_end_the_other_direction_still_works() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let connecting = TcpClient::builder(listener.local_addr().unwrap()).connect();
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    let (client, mut peer) = (client.unwrap(), accepted.unwrap().0);
    peer.write_all(b"done").await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"done"[..]));
    assert_eq!(client.recv().await.unwrap(), None);
    client.send(Bytes::from_static(b"thanks")).await.unwrap();
    client.finish().await.unwrap();
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"thanks");
    assert!(client.send(Bytes::from_static(b"late")).await.is_err());
}

#[tokio::test]
async fn nobody_listening_is_refused_and_named() {
    let (_refuses, address) = reserved();
    let error = TcpClient::builder(address).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { address: named, .. } if named == address));
    assert!(error.to_string().contains(&address.to_string()));
}

#[tokio::test]
async fn a_name_that_is_none_is_an_error() {
    let error = TcpClient::builder("no port here").connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Resolve { .. }), "{error:?}");
    assert!(error.is_permanent());
}

#[tokio::test]
async fn a_target_that_is_none_is_not_tried_again() {
    let builder = TcpClient::builder("localhost").reconnect(Reconnect::new().unlimited());
    let client = builder.start();
    let mut events = client.events();
    let mut errors = 0;
    let reason = wait(&mut events, |event| match event {
        ClientEvent::Error { failure } => {
            errors += 1;
            assert!(failure.text().ends_with("no port, HOST:PORT is wanted"), "{failure}");
            None
        }
        ClientEvent::GaveUp { .. } => Some(()),
        _ => None,
    });
    reason.await;
    assert_eq!(errors, 1);
}

#[tokio::test]
async fn a_name_is_resolved_and_its_addresses_are_tried() {
    let (_reserved, port) = reserved_by_both();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let builder = TcpServer::builder().bind(address).handler(Echo::new());
    let _server = builder.start().await.unwrap();
    let client = TcpClient::builder(("localhost", port)).connect().await.unwrap();
    client.send(Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"x"[..]));
}

/// Linux answers no SYN while the backlog is full, so that nobody ever answers here.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn defect_13_the_connect_timeout_is_armed() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&any_port().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let timeout = Duration::from_millis(50);
    let mut held = Vec::new();
    let error = loop {
        match TcpClient::builder(address).connect_timeout(timeout).connect().await {
            Ok(client) => held.push(client),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert!(error.to_string().contains(&address.to_string()));
}

#[tokio::test]
async fn what_a_lost_connection_did_not_send_is_told() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let connecting = TcpClient::builder(listener.local_addr().unwrap())
        .queue_bytes(64 << 20)
        .close_grace(Duration::from_millis(20))
        .connect();
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    let (client, _stalled) = (client.unwrap(), accepted.unwrap().0);
    let mut events = client.events();
    client.send(Bytes::from(vec![0; 32 << 20])).await.unwrap();
    let error = client.send(Bytes::from(vec![0; 65 << 20])).await.unwrap_err();
    assert_eq!(error, ClientSendError::TooLarge { len: 65 << 20, limit: 64 << 20 });
    let report = client.close().await;
    let totals = client.stats().snapshot().totals();
    assert!(report.unsent_bytes > 0);
    assert_eq!(totals.bytes_sent + report.unsent_bytes as u64, 32 << 20);
    let dropped = wait(&mut events, |event| match event {
        ClientEvent::Dropped { messages, bytes } => Some((*messages, *bytes)),
        _ => None,
    })
    .await;
    assert_eq!(dropped, (1, report.unsent_bytes));
}

#[tokio::test]
async fn close_drains_what_is_queued() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let connecting =
        TcpClient::builder(listener.local_addr().unwrap()).queue_bytes(8 << 20).connect();
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    let (client, mut peer) = (client.unwrap(), accepted.unwrap().0);
    let sent = Bytes::from(pattern(8 << 20));
    client.send(sent.clone()).await.unwrap();
    let (report, received) = tokio::join!(client.close(), async {
        let received = read_to_end(&mut peer).await.unwrap();
        drop(peer);
        received
    });
    assert_eq!(report.unsent_bytes, 0);
    assert!(received == sent);
}

#[tokio::test]
async fn a_client_that_does_not_receive_holds_the_server_back_and_loses_nothing() {
    let sent = pattern(8 << 20);
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let connecting = TcpClient::builder(listener.local_addr().unwrap()).receive_queue(1).connect();
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    let (client, mut peer) = (client.unwrap(), accepted.unwrap().0);
    let sending = async {
        peer.write_all(&sent).await.unwrap();
        drop(peer);
    };
    let receiving = async {
        let mut received = Vec::new();
        while let Some(piece) = client.recv().await.unwrap() {
            received.extend_from_slice(&piece);
            tokio::task::yield_now().await;
        }
        received
    };
    let ((), received) = tokio::join!(sending, receiving);
    assert!(received == sent);
}

#[tokio::test]
async fn defect_12_both_ends_are_counted_apart_and_removed() {
    let stats = stats::SocketStats::new();
    let server = server(Discard).stats(stats.clone()).start().await.unwrap();
    let mut events = server.events();
    let builder = TcpClient::builder(server.local_addr()).stats(stats.clone());
    let client = builder.connect().await.unwrap();
    client.send(Bytes::from_static(b"hello")).await.unwrap();
    client.close().await;
    wait(&mut events, |event| {
        matches!(event, sockets_tcp::ServerEvent::Disconnected { .. }).then_some(())
    })
    .await;
    let snapshot = stats.snapshot();
    let of = |role| snapshot.counters(ports_core::Transport::Tcp, role);
    let (client, server) = (of(stats::Role::Client), of(stats::Role::Server));
    assert_eq!((client.active, client.opened, client.bytes_sent), (0, 1, 5));
    assert_eq!((server.active, server.opened, server.bytes_received), (0, 1, 5));
}

#[tokio::test]
async fn dropping_the_client_ends_its_connection() {
    let listener = StdListener::bind(any_port()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let builder = TcpClient::builder(listener.local_addr().unwrap()).reconnect(Reconnect::new());
    let (client, accepted) = tokio::join!(builder.connect(), listener.accept());
    let (client, mut peer) = (client.unwrap(), accepted.unwrap().0);
    client.send(Bytes::from_static(b"bye")).await.unwrap();
    assert_eq!(read_exactly(&mut peer, 3).await, b"bye");
    drop(client);
    assert_eq!(read_to_end(&mut peer).await.unwrap(), b"");
}

#[tokio::test]
async fn finishing_turns_away_who_waits_to_send() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let builder = TcpClient::builder(listener.local_addr().unwrap()).queue_bytes(MESSAGE);
    let (client, accepted) = tokio::join!(builder.connect(), listener.accept());
    let (client, mut peer) = (client.unwrap(), accepted.unwrap().0);
    let send = || client.send(Bytes::from(vec![1; MESSAGE]));
    let mut accepted = 0;
    let (refused, finished, received) = tokio::join!(
        async {
            loop {
                match send().await {
                    Ok(()) => accepted += 1,
                    Err(error) => return error,
                }
            }
        },
        async {
            // Until the sender waits: the peer does not read yet.
            while client.stats().snapshot().totals().bytes_sent < 1 << 20 {
                tokio::task::yield_now().await;
            }
            client.finish().await
        },
        async {
            while client.stats().snapshot().totals().bytes_sent < 1 << 20 {
                tokio::task::yield_now().await;
            }
            read_to_end(&mut peer).await.unwrap()
        }
    );
    assert!(matches!(refused, ClientSendError::Closed { .. }), "{refused:?}");
    finished.unwrap();
    assert_eq!(received.len(), accepted * MESSAGE);
}
