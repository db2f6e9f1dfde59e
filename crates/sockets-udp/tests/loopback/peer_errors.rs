//! What an ICMP message says about an earlier datagram is the peer's error, not the socket's.

use std::future::Future;
use std::io::ErrorKind::ConnectionRefused;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ports_core::Transport;
use sockets_udp::{Event, Events, RecvBatch, RecvError, UdpSocket};
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
    assert_eq!(refused, ConnectionRefused);

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
    let (_peer, connected) = refused();
    let address = connected.peer_addr().unwrap();
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
    assert_eq!(unreachable(&mut events).await, ConnectionRefused);
    assert_waits(receiving.as_mut()).await;
    let unconnected = open(V4);
    unconnected.send_to(b"to nobody", address).await.unwrap();
    assert!(!unconnected.check_peer());
    socket.close();
    assert!(!socket.check_peer());
}

#[tokio::test]
async fn who_waits_for_a_datagram_hears_that_the_peer_is_not_there() {
    let (peer, connected) = refused();
    let sender = connected.try_clone().unwrap();
    let socket = UdpSocket::builder().socket(connected).open().unwrap();
    let mut events = socket.events();
    let (mut buffer, mut batch) = ([0; 16], RecvBatch::new(2, 16));
    let waits: [Pin<Box<dyn Future<Output = usize>>>; 3] = [
        Box::pin(async { socket.recv().await.unwrap().data.len() }),
        Box::pin(async { socket.recv_into(&mut buffer).await.unwrap().length }),
        Box::pin(async { socket.recv_many(&mut batch).await.unwrap() * 4 }),
    ];
    for mut waiting in waits {
        assert_waits(waiting.as_mut()).await;
        // Nobody else calls anything that could take it.
        cause_error(&sender);
        tokio::select! {
            _ = waiting.as_mut() => panic!("nobody has sent anything"),
            kind = unreachable(&mut events) => assert_eq!(kind, ConnectionRefused),
        }
        peer.send_to(b"back", socket.local_addr()).unwrap();
        assert_eq!(waiting.await, 4, "the wait goes on");
    }
}

#[tokio::test]
async fn who_asks_for_errors_of_the_peer_gets_them_where_tokio_returns_them() {
    let (peer, connected) = refused();
    let sender = connected.try_clone().unwrap();
    let stats = SocketStats::new();
    let builder = UdpSocket::builder().socket(connected).stats(stats.clone());
    let socket = builder.return_peer_errors(true).open().unwrap();
    let is_refused = |error: RecvError| match error {
        RecvError::PeerUnreachable { source, .. } => source.kind() == ConnectionRefused,
        _ => false,
    };
    let (mut buffer, mut batch) = ([0; 16], RecvBatch::new(2, 16));
    {
        let mut waiting = std::pin::pin!(socket.recv());
        assert_waits(waiting.as_mut()).await;
        cause_error(&sender);
        assert!(is_refused(waiting.await.unwrap_err()), "while it waits");
    }
    cause_error(&sender);
    assert!(is_refused(socket.recv_into(&mut buffer).await.unwrap_err()), "before it waits");
    cause_error(&sender);
    assert!(is_refused(socket.recv_many(&mut batch).await.unwrap_err()));
    cause_error(&sender);
    assert!(is_refused(socket.try_recv().unwrap_err()));
    peer.send_to(b"back", socket.local_addr()).unwrap();
    let mut refused = 4;
    let back = loop {
        match socket.recv().await {
            Ok(datagram) => break datagram.data,
            Err(error) => assert!(is_refused(error), "one more was under way"),
        }
        refused += 1;
    };
    assert_eq!(back, "back", "the socket goes on");
    let errors = stats.snapshot().totals().errors;
    assert_eq!((errors.count(ErrorKind::Unreachable), errors.total()), (refused, refused));
}

/// A socket that is connected to one which refuses what others send, and keeps its port: it is connected
/// to itself.
fn refused() -> (std::net::UdpSocket, std::net::UdpSocket) {
    let bind = || std::net::UdpSocket::bind((V4, 0)).unwrap();
    let (peer, connected) = (bind(), bind());
    peer.connect(peer.local_addr().unwrap()).unwrap();
    connected.connect(peer.local_addr().unwrap()).unwrap();
    (peer, connected)
}

/// Sends until an ICMP message has come, and stays: the kernel may limit their rate, and more of them may
/// be under way.
fn cause_error(sender: &std::net::UdpSocket) {
    loop {
        let mut polled = [PollFd::new(sender.as_fd(), PollFlags::empty())];
        if poll(&mut polled, PollTimeout::ZERO).unwrap() > 0 {
            return;
        }
        // It may have come since.
        let _ = sender.send(b"to nobody");
    }
}

/// What the next ICMP message said.
async fn unreachable(events: &mut Events) -> std::io::ErrorKind {
    loop {
        if let Event::PeerUnreachable { kind } = events.recv().await.unwrap() {
            return kind;
        }
    }
}
