//! Broadcast, on the loopback network only: 127.255.255.255 goes nowhere else.

use std::net::{Ipv4Addr, SocketAddrV4};

use sockets_udp::SendError;

use crate::{V4, V6, on, open};

const DIRECTED: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

#[tokio::test]
async fn a_directed_broadcast_reaches_a_socket_on_the_wildcard() {
    let receiver = open(Ipv4Addr::UNSPECIFIED);
    let sender = on(V4).broadcast(true).open().unwrap();
    let target = SocketAddrV4::new(DIRECTED, receiver.local_addr().port());
    sender.broadcast_to(b"to all", target).await.unwrap();
    let datagram = receiver.recv().await.unwrap();
    assert_eq!((&datagram.data[..], datagram.source), (&b"to all"[..], sender.local_addr()));
}

#[tokio::test]
async fn broadcast_without_leave_is_refused_before_anything_is_sent() {
    let socket = open(V4);
    let target = SocketAddrV4::new(DIRECTED, 9);
    for error in [
        socket.broadcast(b"x", 9).await.unwrap_err(),
        socket.broadcast_to(b"x", target).await.unwrap_err(),
        socket.send_to(b"x", SocketAddrV4::new(Ipv4Addr::BROADCAST, 9).into()).await.unwrap_err(),
        // This one only the kernel knows to be a broadcast address.
        socket.send_to(b"x", target.into()).await.unwrap_err(),
    ] {
        assert!(matches!(error, SendError::BroadcastNotEnabled { .. }), "{error:?}");
        assert!(error.to_string().contains("`.broadcast(true)`"), "says what to do: {error}");
    }
}

#[tokio::test]
async fn ipv6_has_no_broadcast() {
    let socket = on(V6).broadcast(true).open().unwrap();
    let error = socket.broadcast(b"x", 9).await.unwrap_err();
    assert!(matches!(error, SendError::FamilyMismatch { .. }), "{error}");
}
