//! Sockets that are connected to one peer.

use sockets_udp::{BindError, Event, SendError, UdpSocket};
use stats::{ErrorKind, SocketStats};

use crate::{V4, V6, on, open};

#[tokio::test]
async fn a_connected_socket_hears_its_peer_only_and_sends_to_anybody() {
    for host in [V4, V6] {
        let (peer, stranger) = (open(host), open(host));
        let socket = UdpSocket::builder()
            .bind((if host == V4 { "0.0.0.0:0" } else { "[::]:0" }).parse().unwrap())
            .connect(peer.local_addr())
            .open()
            .unwrap();
        assert_eq!(socket.local_addr().ip(), host, "what the routes choose");
        stranger.send_to(b"stranger", socket.local_addr()).await.unwrap();
        peer.send_to(b"peer", socket.local_addr()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().data, "peer");
        for target in [&peer, &stranger] {
            socket.send_to(b"x", target.local_addr()).await.unwrap();
            assert_eq!(target.recv().await.unwrap().source, socket.local_addr());
        }
    }
}

#[tokio::test]
async fn a_connected_socket_is_told_who_is_not_there() {
    let gone = std::net::UdpSocket::bind((V4, 0)).unwrap();
    let peer = gone.local_addr().unwrap();
    // Connected to itself it refuses what others send.
    gone.connect(peer).unwrap();
    let socket = on(V4).connect(peer).open().unwrap();
    let mut events = socket.events();
    // The kernel may limit the rate of its messages.
    while !socket.check_peer() && socket.peer_errors() == 0 {
        socket.send_to(b"anybody?", peer).await.unwrap();
    }
    let told = std::iter::from_fn(|| events.try_recv().ok()).find_map(|event| match event {
        Event::PeerUnreachable { peer, .. } => peer,
        _ => None,
    });
    assert_eq!(told, Some(peer));
}

#[tokio::test]
async fn who_cannot_be_sent_to_cannot_be_connected_to_in_the_same_words() {
    let stats = SocketStats::new();
    for (from, target) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("0.0.0.0:0", "127.255.255.255:9"),
        ("0.0.0.0:0", "255.255.255.255:9"),
    ] {
        let (from, target) = (from.parse().unwrap(), target.parse().unwrap());
        let builder = UdpSocket::builder().bind(from).stats(stats.clone());
        let refused = builder.connect(target).open().unwrap_err().to_string();
        let unconnected = UdpSocket::builder().bind(from).open().unwrap();
        let unsent = unconnected.send_to(b"", target).await.unwrap_err().to_string();
        assert_eq!(refused, unsent, "{target}");
    }
    let elsewhere = UdpSocket::builder().bind("192.0.2.1:0".parse().unwrap());
    let refused = elsewhere.connect("127.0.0.1:9".parse().unwrap()).open().unwrap_err();
    let said = "cannot send to udp 127.0.0.1:9 from 192.0.2.1: not an address of this machine";
    assert_eq!(refused.to_string(), said);
    assert!(matches!(refused, BindError::Connect(SendError::SourceNotAvailable { .. })));
    assert_eq!(stats.snapshot().totals().errors.count(ErrorKind::Bind), 3);
    UdpSocket::builder()
        .broadcast(true)
        .connect("127.255.255.255:9".parse().unwrap())
        .open()
        .unwrap();
}
