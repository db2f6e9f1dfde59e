//! Broadcast, on the loopback network only: 127.255.255.255 goes nowhere else.

use std::net::{Ipv4Addr, SocketAddrV4};

use sockets_udp::{BroadcastError, Interface, SendError};

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

#[tokio::test]
async fn a_broadcast_on_lo_stays_there_and_tells_what_it_did() {
    let receiver = open(Ipv4Addr::UNSPECIFIED);
    let port = receiver.local_addr().port();
    let sender = on(Ipv4Addr::UNSPECIFIED).broadcast(true).open().unwrap();
    let lo = Interface::from("lo");
    // By the address there is one network, however many `lo` has.
    let report = sender.broadcast_on(b"here", port, &Interface::from(V4)).await.unwrap();
    assert!(report.is_complete());
    let [result] = &report.networks[..] else { panic!("{report:?}") };
    assert_eq!((&result.interface[..], result.index), ("lo", lo.index().unwrap()));
    assert_eq!(result.address, Ipv4Addr::LOCALHOST);
    assert_eq!(result.target, SocketAddrV4::new(Ipv4Addr::BROADCAST, port));
    assert!(result.result.is_ok(), "{result:?}");
    let datagram = receiver.recv().await.unwrap();
    assert_eq!((&datagram.data[..], datagram.source.ip()), (&b"here"[..], V4));
    assert_eq!(datagram.destination, Some(Ipv4Addr::BROADCAST.into()));
    assert_eq!(datagram.interface, lo.index().unwrap());
}

#[tokio::test]
async fn what_cannot_be_broadcast_on_an_interface_is_named() {
    let nowhere = Interface::from("nope0");
    let allowed = on(V4).broadcast(true).open().unwrap();
    let error = allowed.broadcast_on(b"x", 9, &nowhere).await.unwrap_err();
    assert!(matches!(error, BroadcastError::Interface { .. }), "{error}");
    let error = allowed.broadcast_on(b"x", 9, &Interface::from(V6)).await.unwrap_err();
    assert!(matches!(error, BroadcastError::NoNetwork { .. }), "{error}");
    let report = open(V4).broadcast_on(b"x", 9, &Interface::from(V4)).await.unwrap();
    assert!(!report.is_complete());
    assert!(
        matches!(&report.networks[0].result, Err(SendError::BroadcastNotEnabled { .. })),
        "{report:?}"
    );
}
