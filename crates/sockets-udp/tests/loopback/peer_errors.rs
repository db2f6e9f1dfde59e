//! What an ICMP message says about an earlier datagram is the peer's error, not the socket's.

use std::net::SocketAddr;

use ports_core::Transport;
use sockets_udp::{Event, UdpSocket};
use stats::{ErrorKind, SocketStats};

use crate::{V4, assert_waits, keep_for_this_test, open};

/// Addresses of one test's own.
const PEER: [u8; 4] = [127, 71, 1, 1];
const OURS: [u8; 4] = [127, 71, 1, 2];

#[tokio::test]
async fn a_peer_that_is_gone_does_not_stop_the_socket() {
    let stats = SocketStats::new();
    let peer = std::net::UdpSocket::bind(SocketAddr::from((PEER, 0))).unwrap();
    let peer_address = peer.local_addr().unwrap();
    let _kept = keep_for_this_test(peer_address);
    // Linux tells a socket of ICMP errors only if it is connected (udp(7)).
    let connected = std::net::UdpSocket::bind(SocketAddr::from((OURS, 0))).unwrap();
    connected.connect(peer_address).unwrap();
    drop(peer);
    let socket = UdpSocket::builder().socket(connected).stats(stats.clone()).open().unwrap();
    let mut events = socket.events();
    let unreachable = || stats.snapshot().totals().errors.count(ErrorKind::Unreachable);

    // The kernel may rate-limit its ICMP messages: send until one has come.
    let mut sent = 0_u64;
    while unreachable() == 0 {
        socket.send_to(b"to nobody", peer_address).await.expect("an error of the peer's");
        sent += 1;
        tokio::task::yield_now().await;
    }
    let refused = loop {
        match events.recv().await.expect("the socket is open") {
            Event::PeerUnreachable { kind } => break kind,
            Event::Bound { .. } | Event::Sent { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);

    // An error may be waiting for the next call; both directions work all the same.
    let peer = std::net::UdpSocket::bind(peer_address).unwrap();
    peer.send_to(b"back", socket.local_addr()).unwrap();
    assert_eq!(socket.recv().await.unwrap().data, "back");
    socket.send_to(b"welcome", peer_address).await.unwrap();
    let mut buffer = [0; 16];
    loop {
        let (len, _) = peer.recv_from(&mut buffer).unwrap();
        if &buffer[..len] == b"welcome" {
            break;
        }
        assert_eq!(&buffer[..len], b"to nobody", "under way when the port was bound again");
    }

    let counted = stats.snapshot().transport(Transport::Udp);
    assert_eq!(counted.messages_sent, sent + 1);
    assert_eq!(counted.errors.total(), counted.errors.count(ErrorKind::Unreachable));
}

#[tokio::test]
async fn who_only_receives_may_ask_whether_the_peer_is_there() {
    // Whoever is connected to itself refuses what others send, and keeps its port.
    let peer = std::net::UdpSocket::bind((V4, 0)).unwrap();
    let address = peer.local_addr().unwrap();
    peer.connect(address).unwrap();
    let connected = std::net::UdpSocket::bind((V4, 0)).unwrap();
    connected.connect(address).unwrap();
    let stats = SocketStats::new();
    let socket = UdpSocket::builder().socket(connected).stats(stats.clone()).open().unwrap();
    let mut events = socket.events();
    assert!(!socket.check_peer());
    let mut receiving = std::pin::pin!(socket.recv());
    assert_waits(receiving.as_mut()).await;
    socket.send_to(b"to nobody", address).await.unwrap();
    while !socket.check_peer() {
        tokio::task::yield_now().await;
    }
    assert!(!socket.check_peer(), "it is told once");
    assert_eq!(stats.snapshot().totals().errors.count(ErrorKind::Unreachable), 1);
    let told = async {
        loop {
            if let Event::PeerUnreachable { kind } = events.recv().await.unwrap() {
                return kind;
            }
        }
    };
    assert_eq!(told.await, std::io::ErrorKind::ConnectionRefused);
    assert_waits(receiving.as_mut()).await;
    let unconnected = open(V4);
    unconnected.send_to(b"to nobody", address).await.unwrap();
    assert!(!unconnected.check_peer());
    socket.close();
    assert!(!socket.check_peer());
}
