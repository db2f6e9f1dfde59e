//! A listener for tests that look at all sockets of its port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Listens at 127.0.0.1 on a port that no other socket there has, not even one in TIME-WAIT: without
/// `SO_REUSEADDR`, which the standard library's listeners set, the kernel gives no such port.
pub(crate) fn lone_listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(128).unwrap();
    socket.into()
}
