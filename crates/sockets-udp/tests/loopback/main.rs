//! Real sockets on 127.0.0.0/8, `::1` and the loopback interface. No packet leaves the machine.
#![cfg(test)]
#![forbid(unsafe_code)]

mod addresses;
mod arrived;
mod broadcast;
mod bulk;
mod connected;
mod drops;
mod events;
mod lifecycle;
mod limits;
mod many;
mod multicast;
mod peer_errors;
mod service;
mod truncation;
mod turns;
mod unicast;

use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;

use sockets_udp::{UdpSocket, UdpSocketBuilder};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Settings for a socket on any port of this address.
fn on(address: impl Into<IpAddr>) -> UdpSocketBuilder {
    UdpSocket::builder().bind(SocketAddr::new(address.into(), 0))
}

fn open(address: impl Into<IpAddr>) -> UdpSocket {
    on(address).open().unwrap()
}

/// Keeps a port at an address of one test's own for it, also while it is closed: taken at another
/// address as well, it is none that the kernel gives to a socket on every address.
#[must_use]
fn keep_for_this_test(address: SocketAddr) -> std::net::UdpSocket {
    let SocketAddr::V4(v4) = address else { panic!("{address} may be of other tests, too") };
    let [_, _, group, test] = v4.ip().octets();
    std::net::UdpSocket::bind((Ipv4Addr::new(127, 72, group, test), v4.port())).unwrap()
}

/// Polls once, and asserts that it waits.
async fn assert_waits<F: Future + ?Sized>(mut future: Pin<&mut F>) {
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending(), "the future does not wait");
        Poll::Ready(())
    })
    .await;
}
