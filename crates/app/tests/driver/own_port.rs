//! A TCP port that is a test's own, also while nobody listens there.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Held by a socket that is bound and does not listen: who connects is refused, and nobody else is
/// given the port.
pub(crate) struct OwnPort {
    address: SocketAddr,
    _holder: Socket,
}

impl OwnPort {
    pub(crate) fn at(ip: Ipv4Addr) -> Self {
        let holder = bound(SocketAddr::from((ip, 0)));
        let address = holder.local_addr().unwrap().as_socket().unwrap();
        Self { address, _holder: holder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn number(&self) -> u16 {
        self.address.port()
    }

    /// Listens there, until that is dropped.
    pub(crate) fn listen(&self) -> TcpListener {
        let socket = bound(self.address);
        socket.listen(128).unwrap();
        socket.into()
    }
}

/// Sockets share a port by this where one of them at most listens; nobody who asks for any port is
/// given it (socket(7), `SO_REUSEADDR`).
fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}
