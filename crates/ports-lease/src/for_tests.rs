//! One line for a test that needs a port.

use std::net::{TcpListener, UdpSocket};

use crate::{BoundLease, Lease, Request, bind, lease};

/// A TCP and UDP port for a test, until the value is dropped: for a program that is told its port. A
/// test that can listen at port 0 needs no lease.
///
/// # Panics
///
/// Where there is none; the message says why.
#[track_caller]
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn test_port() -> Lease {
    match lease(&Request::tcp_and_udp()) {
        Ok(lease) => lease,
        Err(error) => panic!("no port for a test: {}", chain(&error)),
    }
}

/// A listener at 127.0.0.1 for a test, outside of the ephemeral range, so that no connection of
/// another test can come from its port; the lease is to be kept as long.
///
/// # Panics
///
/// Where there is none; the message says why.
#[track_caller]
pub fn free_tcp_listener() -> (TcpListener, Lease) {
    let (listeners, _, lease) = bound(&Request::tcp()).into_parts();
    only(listeners, lease)
}

/// A UDP socket at 127.0.0.1 for a test; the lease is to be kept as long.
///
/// # Panics
///
/// Where there is none; the message says why.
#[track_caller]
pub fn free_udp_socket() -> (UdpSocket, Lease) {
    let (_, sockets, lease) = bound(&Request::udp()).into_parts();
    only(sockets, lease)
}

#[track_caller]
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn bound(request: &Request) -> BoundLease {
    match bind(&request.clone().loopback().family(crate::Family::Ipv4)) {
        Ok(bound) => bound,
        Err(error) => panic!("no socket for a test: {}", chain(&error)),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "one port at one address has one socket")]
fn only<S>(mut sockets: Vec<S>, lease: Lease) -> (S, Lease) {
    match sockets.pop() {
        Some(socket) => (socket, lease),
        None => panic!("{lease} has no socket"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
