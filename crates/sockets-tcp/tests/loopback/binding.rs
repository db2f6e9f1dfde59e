//! Where a server listens: several sockets of one port, both families, a port that is gone.

use std::net::{SocketAddr, TcpListener};

use ports_core::{ClaimAddress, PortRegistry, Transport};
use sockets_tcp::{BindError, Echo, ServerEvent, TcpServer};
use tokio::io::AsyncWriteExt;

use crate::support::{HANG, any_port, peer, read_exactly, reserved_by_both, server};

#[tokio::test]
async fn several_sockets_accept_on_one_port_under_one_claim() {
    let registry = PortRegistry::new();
    let builder = server(Echo::new()).accept_sockets(4).registry(registry.clone());
    let server = builder.bind(any_port()).start().await.unwrap();
    assert_eq!(server.local_addrs().len(), 2, "an address is told once");
    assert_eq!(registry.snapshot().claims.len(), 2);
    // By a hash of the ports: with so many, every socket has some.
    let mut peers = Vec::new();
    for number in 0..64 {
        let mut peer = peer(server.local_addrs()[number % 2]).await;
        peer.write_all(b"x").await.unwrap();
        assert_eq!(read_exactly(&mut peer, 1).await, b"x");
        peers.push(peer);
    }
    let mut events = server.events();
    drop(peers);
    assert_eq!(server.shutdown(HANG).await.refused, 0);
    assert!(registry.snapshot().claims.is_empty());
    let last = crate::support::rest(&mut events).await.pop();
    assert_eq!(last, Some(ServerEvent::Closed));
}

#[tokio::test]
async fn dual_stack_is_a_choice() {
    let (_reserved, port) = reserved_by_both();
    let any = SocketAddr::from(([0; 8], port));
    let registry = PortRegistry::new();
    let build = || TcpServer::builder().bind(any).handler(Echo::new()).registry(registry.clone());
    for dual_stack in [true, false] {
        let server = build().dual_stack(dual_stack).start().await.unwrap();
        let mut six = peer(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))).await;
        six.write_all(b"6").await.unwrap();
        assert_eq!(read_exactly(&mut six, 1).await, b"6");
        let four = ClaimAddress::from(SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(registry.is_available(Transport::Tcp, four, port), !dual_stack);
        // The kernel's word: the port of the other family is another one's to take, or it is not.
        let bound = TcpListener::bind(("127.0.0.1", port));
        assert_eq!(bound.is_ok(), !dual_stack, "{bound:?}");
        // The next one takes the port again.
        drop(six);
        server.shutdown(HANG).await;
    }
}

#[tokio::test]
async fn a_port_stolen_between_claim_and_bind_is_an_error_and_leaves_nothing() {
    let registry = PortRegistry::new();
    let thief = TcpListener::bind(any_port()).unwrap();
    let stolen = thief.local_addr().unwrap();
    // Nobody in this program holds it: the claim is granted, and the bind fails.
    assert!(registry.is_available(Transport::Tcp, stolen, stolen.port()));
    let build = || TcpServer::builder().bind(stolen).registry(registry.clone());
    for sockets in [1, 2] {
        let error = build().accept_sockets(sockets).start().await.unwrap_err();
        assert!(matches!(error, BindError::AddressInUse { address, .. } if address == stolen));
        assert!(registry.snapshot().claims.is_empty());
    }
    assert!(!registry.is_available(Transport::Tcp, stolen, stolen.port()), "known to be foreign");
}
