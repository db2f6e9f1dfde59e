//! What an ICMP message says about an earlier datagram is the peer's error, not the socket's.

use std::future::Future;
use std::io::ErrorKind::ConnectionRefused;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ports_core::Transport;
use sockets_udp::{Event, Events, RecvBatch, RecvError, UdpSocket};
use stats::{ErrorKind, SocketStats};

use crate::{V4, V6, assert_waits, keep_for_this_test, on, open};

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
            Event::PeerUnreachable { peer, kind } => {
                assert_eq!(peer, Some(peer_address));
                break kind;
            }
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

/// Each is told of by its own address, and those that are there get what is for them.
#[tokio::test]
async fn a_socket_for_many_hears_which_of_them_is_not_there() {
    let wildcards: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    for (any, hosts) in wildcards.into_iter().zip([&[V4][..], &[V4, V6]]) {
        let stats = SocketStats::new();
        let builder = on(any).stats(stats.clone()).peer_errors(true);
        let socket = builder.open().unwrap();
        let mut events = socket.events();
        let there = open(V4);
        for host in hosts {
            let gone = refusing(*host);
            let address = gone.local_addr().unwrap();
            let before = socket.peer_errors();
            // The kernel may limit the rate of its messages.
            while socket.peer_errors() == before {
                socket.send_to(b"to nobody", address).await.unwrap();
                assert!(socket.try_recv().unwrap().is_none());
            }
            socket.send_to(b"to somebody", there.local_addr()).await.unwrap();
            assert_eq!(there.recv().await.unwrap().data, "to somebody");
            let told = loop {
                match events.try_recv().unwrap() {
                    Event::PeerUnreachable { peer, kind } => break (peer, kind),
                    Event::Bound { .. } | Event::Sent { .. } => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(told, (Some(address), ConnectionRefused));
            while events.try_recv().is_ok() {}
        }
        let errors = stats.snapshot().totals().errors;
        assert_eq!(errors.count(ErrorKind::Unreachable), socket.peer_errors());
        assert_eq!(errors.total(), socket.peer_errors());
    }
}

#[tokio::test]
async fn who_waits_hears_which_of_many_is_not_there() {
    let ours = std::net::UdpSocket::bind((V4, 0)).unwrap();
    let sender = ours.try_clone().unwrap();
    let socket = UdpSocket::builder().socket(ours).peer_errors(true).open().unwrap();
    let mut events = socket.events();
    let gone = refusing(V4);
    let address = gone.local_addr().unwrap();
    let mut receiving = std::pin::pin!(socket.recv());
    assert_waits(receiving.as_mut()).await;
    // Nobody else calls anything that could take it.
    cause_error_by(&sender, || _ = sender.send_to(b"to nobody", address));
    let told = async {
        loop {
            if let Event::PeerUnreachable { peer, kind } = events.recv().await.unwrap() {
                break (peer, kind);
            }
        }
    };
    tokio::select! {
        _ = receiving.as_mut() => panic!("nobody has sent anything"),
        told = told => assert_eq!(told, (Some(address), ConnectionRefused)),
    }
}

/// A socket that refuses what others send, and keeps its port: it is connected to itself.
fn refusing(host: IpAddr) -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind((host, 0)).unwrap();
    socket.connect(socket.local_addr().unwrap()).unwrap();
    socket
}

/// A socket connected to one that refuses what others send.
fn refused() -> (std::net::UdpSocket, std::net::UdpSocket) {
    let (peer, connected) = (refusing(V4), std::net::UdpSocket::bind((V4, 0)).unwrap());
    connected.connect(peer.local_addr().unwrap()).unwrap();
    (peer, connected)
}

/// Sends until an ICMP message has come, and stays: the kernel may limit their rate, and more of them may
/// be under way.
fn cause_error(sender: &std::net::UdpSocket) {
    // It may have come since.
    cause_error_by(sender, || _ = sender.send(b"to nobody"));
}

fn cause_error_by(sender: &std::net::UdpSocket, send: impl Fn()) {
    loop {
        let mut polled = [PollFd::new(sender.as_fd(), PollFlags::empty())];
        if poll(&mut polled, PollTimeout::ZERO).unwrap() > 0 {
            return;
        }
        send();
    }
}

/// What the next ICMP message said.
async fn unreachable(events: &mut Events) -> std::io::ErrorKind {
    loop {
        if let Event::PeerUnreachable { kind, .. } = events.recv().await.unwrap() {
            return kind;
        }
    }
}
