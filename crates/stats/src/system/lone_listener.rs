//! Listeners for tests that look at all sockets of their port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use socket2::{Domain, Socket, Type};

/// An address that no other test of this process has: the kernel may give others the number of any port
/// elsewhere, and a connection from there the port of another one's.
pub(crate) fn lone_address() -> Ipv4Addr {
    static LAST: AtomicU16 = AtomicU16::new(0);
    let [high, low] = (LAST.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes();
    Ipv4Addr::new(127, 80, high, low)
}

/// Listens at this address on a port that no other socket there has, not even one in TIME-WAIT, which
/// an earlier run may have left: without `SO_REUSEADDR`, which the standard library's listeners set, the
/// kernel gives no such port.
pub(crate) fn listen_at(address: Ipv4Addr) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.listen(128).unwrap();
    socket.into()
}

/// Listens at an address of its own.
pub(crate) fn lone_listener() -> TcpListener {
    listen_at(lone_address())
}
