//! What has come to the other end. Packets of loopback are mostly there when the call that sends them
//! returns, but a kernel under load may put them off.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::support::HANG;

/// Until it is so, without a turn for any other task of this thread.
fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < HANG, "it never comes");
        std::thread::yield_now();
    }
}

/// Until the other end has all that was sent, the end of the stream too.
#[allow(dead_code, reason = "not of use to all who share this file")]
pub(crate) fn delivered(stream: &impl AsFd) {
    #[cfg(target_os = "linux")]
    until(|| sockets_sys::unacknowledged_bytes(stream).unwrap() == 0);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Ends a peer's connection with a reset, which has come to the other end when this returns.
pub(crate) fn reset(peer: TcpStream) {
    let ends = (peer.peer_addr(), peer.local_addr());
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    // Of a connection that is gone already there is no other end.
    if let (Ok(there), Ok(here)) = ends {
        until(|| !is_connected(there, here));
    }
}

/// Whether the kernel has a connection from this end to that.
#[cfg(target_os = "linux")]
fn is_connected(here: SocketAddr, there: SocketAddr) -> bool {
    const TIME_WAIT: &str = "06";
    let hex = |address: SocketAddr| match address {
        SocketAddr::V4(it) => {
            format!("{:08X}:{:04X}", u32::from_ne_bytes(it.ip().octets()), it.port())
        }
        SocketAddr::V6(_) => unimplemented!("peers are those of IPv4"),
    };
    let ends = format!(" {} {} ", hex(here), hex(there));
    let connections = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let state = connections.lines().find_map(|line| Some(line.split_once(&ends)?.1));
    state.is_some_and(|state| !state.starts_with(TIME_WAIT))
}

/// It is not known.
#[cfg(not(target_os = "linux"))]
fn is_connected(_: SocketAddr, _: SocketAddr) -> bool {
    false
}
