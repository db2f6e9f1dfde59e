//! Where a server listens: addresses, claims, listeners, events.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bytes::Bytes;
use ports_core::{ClaimAddress, PortRegistry, Transport};
use sockets_tcp::{
    BindError, Discard, Echo, Reconnect, ServerEvent, SlowPolicy, TcpClient, TcpServer,
};
use stats::{ErrorKind, SocketStats};
use tokio::io::AsyncWriteExt;

use socket2::{Domain, Socket, Type};

use crate::support::{
    HANG, any_port, peer, read_exactly, read_to_end, reserved, rest, server, wait,
};

#[tokio::test]
async fn defect_2_a_port_that_another_program_holds_is_an_error_and_remembered() {
    let (_reserved, address) = reserved();
    let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    other.set_reuse_address(true).unwrap();
    other.bind(&address.into()).unwrap();
    other.listen(1).unwrap();
    let registry = PortRegistry::new();
    let start = || TcpServer::builder().bind(address).registry(registry.clone()).start();
    let error = start().await.unwrap_err();
    assert!(matches!(error, BindError::AddressInUse { address: named, .. } if named == address));
    assert!(error.to_string().contains(&address.to_string()));
    assert!(!registry.is_available(Transport::Tcp, address.ip(), address.port()));
    drop(other);
    let server = start().await.expect("a stale mark does not keep a server from its port");
    server.shutdown(HANG).await;
    assert!(registry.is_available(Transport::Tcp, address.ip(), address.port()));
}

#[tokio::test]
async fn defect_6_the_claim_lives_as_long_as_the_listener() {
    let registry = PortRegistry::new();
    let build = || server(Discard).registry(registry.clone()).owner("test");
    let first = build().start().await.unwrap();
    let address = first.local_addr();
    assert_ne!(address.port(), 0);
    assert!(!registry.is_available(Transport::Tcp, address.ip(), address.port()));
    let again = TcpServer::builder().bind(address).registry(registry.clone()).start().await;
    assert!(matches!(again, Err(BindError::Claim { .. })), "{again:?}");
    first.shutdown(HANG).await;
    assert!(registry.is_available(Transport::Tcp, address.ip(), address.port()));

    let mut second = build().bind(any_port()).start().await.unwrap();
    let mut events = second.events();
    let addresses = second.local_addrs().to_vec();
    assert_eq!(registry.snapshot().claims.len(), 2);
    drop(std::mem::replace(&mut second, build().start().await.unwrap()));
    rest(&mut events).await;
    for address in addresses {
        assert!(registry.is_available(Transport::Tcp, address.ip(), address.port()));
    }
    assert_eq!(registry.snapshot().claims.len(), 1, "the other server's claim stands");
}

#[tokio::test]
async fn a_failed_start_leaves_no_claim() {
    let registry = PortRegistry::new();
    let other = TcpListener::bind(any_port()).unwrap();
    let taken = other.local_addr().unwrap();
    let start = server(Discard).bind(taken).registry(registry.clone()).start();
    assert!(start.await.is_err());
    assert!(registry.snapshot().claims.is_empty());
    let nowhere = TcpServer::builder().start().await;
    assert!(matches!(nowhere, Err(BindError::NoAddress)));
}

#[tokio::test]
async fn a_listener_of_the_callers_serves() {
    let listener = TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let registry = PortRegistry::new();
    let builder = TcpServer::builder().listener(listener).handler(Echo::new());
    let server = builder.registry(registry.clone()).start().await.unwrap();
    assert_eq!(server.local_addr(), address);
    assert!(!registry.is_available(Transport::Tcp, address.ip(), address.port()));
    let mut peer = peer(address).await;
    peer.write_all(b"x").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 1).await, b"x");
}

#[tokio::test]
async fn ipv6_loopback_serves() {
    let address: SocketAddr = "[::1]:0".parse().unwrap();
    let server = TcpServer::builder().bind(address).handler(Echo::new()).start().await.unwrap();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"six").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 3).await, b"six");
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_named() {
    // TEST-NET-1 (RFC 5737): nobody's address.
    let address: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let error = TcpServer::builder().bind(address).start().await.unwrap_err();
    assert!(matches!(error, BindError::AddressNotAvailable { .. }), "{error:?}");
}

#[tokio::test]
async fn events_come_in_order_from_the_beginning_to_the_end() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut peer = peer(server.local_addr()).await;
    let mut events = server.events();
    peer.write_all(b"hello").await.unwrap();
    assert_eq!(read_exactly(&mut peer, 5).await, b"hello");
    let local = peer.local_addr().unwrap();
    drop(peer);
    let mut seen = Vec::new();
    wait(&mut events, |event| {
        seen.push(event.clone());
        matches!(event, ServerEvent::Disconnected { .. }).then_some(())
    })
    .await;
    assert!(
        matches!(
            seen[..],
            [
                ServerEvent::Listening { address },
                ServerEvent::Connected { peer, .. },
                ServerEvent::Data { len: 5, .. },
                ServerEvent::HalfClosed { .. },
                ServerEvent::Disconnected { bytes_in: 5, bytes_out: 5, .. },
            ] if address == server.local_addr() && peer == local
        ),
        "{seen:?}"
    );
    server.shutdown(HANG).await;
    assert_eq!(rest(&mut events).await, [ServerEvent::Closed]);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_many_events_it_missed() {
    let server = server(Discard).event_capacity(2).start().await.unwrap();
    let (mut slow, mut other) = (server.events(), server.events());
    for _ in 0..5 {
        drop(peer(server.local_addr()).await);
        loop {
            if let ServerEvent::Disconnected { .. } = other.recv().await.unwrap() {
                break;
            }
        }
    }
    let Some(ServerEvent::Lagged { missed }) = slow.recv().await else {
        panic!("nothing was missed")
    };
    assert!(missed >= 5, "{missed}");
    assert_eq!(slow.missed(), missed);
}

#[tokio::test]
async fn an_ipv6_only_listener_leaves_ipv4_to_others() {
    let registry = PortRegistry::new();
    let six = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    six.set_only_v6(true).unwrap();
    six.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    six.listen(8).unwrap();
    let port = six.local_addr().unwrap().as_socket().unwrap().port();
    let builder = TcpServer::builder().listener(six.into()).registry(registry.clone());
    let _server = builder.start().await.unwrap();
    assert!(registry.is_available(Transport::Tcp, SocketAddr::from(([0; 4], port)), port));
    assert!(!registry.is_available(Transport::Tcp, ClaimAddress::ipv6_only(), port));
}

#[tokio::test]
async fn a_refused_bind_is_counted() {
    let stats = SocketStats::new();
    let other = TcpListener::bind(any_port()).unwrap();
    let taken = other.local_addr().unwrap();
    let start = TcpServer::builder().bind(taken).stats(stats.clone()).start();
    start.await.unwrap_err();
    assert_eq!(stats.snapshot().totals().errors.count(ErrorKind::Bind), 1);
}

#[tokio::test]
async fn the_greatest_settings_do_not_panic() {
    let builder = server(Echo::new()).idle_timeout(Duration::MAX).linger(Duration::MAX);
    let builder = builder.event_capacity(usize::MAX).queue_bytes(usize::MAX);
    let builder = builder.slow_policy(SlowPolicy::Block(Duration::MAX));
    let server = builder.max_connections(usize::MAX).backlog(u32::MAX).start().await.unwrap();
    let builder = TcpClient::builder(server.local_addr()).connect_timeout(Duration::MAX);
    let builder = builder.event_capacity(usize::MAX).receive_queue(usize::MAX);
    let client = builder.close_grace(Duration::MAX).linger(Duration::MAX).connect().await.unwrap();
    client.send(Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"x"[..]));
    let (report, _) = tokio::join!(server.shutdown(Duration::MAX), client.close());
    assert_eq!(report.drained, 1);
}

/// With no patience at all a server ends connections; it neither panics nor turns in circles, and frees
/// what they held.
#[tokio::test]
async fn the_least_settings_do_not_panic() {
    let builder = server(Echo::new()).linger(Duration::ZERO).event_capacity(0).queue_bytes(0);
    let builder = builder.queue_messages(0).slow_policy(SlowPolicy::Block(Duration::ZERO));
    let builder = builder.max_connections(0).max_connections_per_address(0).backlog(0);
    let server = builder.accept_sockets(0).start().await.unwrap();
    for _ in 0..3 {
        let builder = TcpClient::builder(server.local_addr()).attempt_delay(Duration::ZERO);
        let builder = builder.queue_bytes(0).queue_messages(0).receive_queue(0).event_capacity(0);
        let builder = builder.user_timeout(Duration::ZERO).linger(Duration::ZERO);
        let client = builder.close_grace(Duration::ZERO).connect().await.unwrap();
        client.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"x"[..]));
        assert!(client.send(Bytes::from_static(b"xy")).await.is_err(), "the outbox takes one byte");
        client.close().await;
    }
    server.shutdown(Duration::ZERO).await;
    let info = server.info();
    assert_eq!((info.active, info.accepted), (0, 3));
}

#[tokio::test]
async fn who_has_no_time_ends_at_once() {
    let no_time = [
        server(Echo::new()).idle_timeout(Duration::ZERO),
        server(Echo::new()).first_byte_timeout(Duration::ZERO),
    ];
    for builder in no_time {
        let server = builder.start().await.unwrap();
        // A reset, or a connection that was reset before it could be used.
        let _ = read_to_end(&mut peer(server.local_addr()).await).await;
        server.shutdown(HANG).await;
        assert_eq!(server.info().active, 0);
    }
    let server = server(Echo::new()).start().await.unwrap();
    let hurried = TcpClient::builder(server.local_addr()).connect_timeout(Duration::ZERO);
    // What is there at the first look is in time.
    if let Err(error) = hurried.connect().await {
        assert!(error.to_string().contains("0ns"), "{error}");
    }
    let (_bound, gone) = reserved();
    let no_pause = Reconnect::new().base(Duration::ZERO).cap(Duration::ZERO).limit(3);
    assert!(TcpClient::builder(gone).reconnect(no_pause).connect().await.is_err());
}
