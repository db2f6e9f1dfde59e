//! Binding a port for a moment, to see what the system says.

use std::io;
use std::net::SocketAddr;

use ports_core::Transport;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// What came of it.
#[derive(Debug)]
pub(super) enum Attempt {
    /// It can be bound.
    Bound,
    /// Only by a socket that sets `SO_REUSEADDR`, as servers do; the error without it.
    WithReuse(io::Error),
    /// There is no such family of addresses here.
    NoFamily,
    /// It cannot.
    Refused(io::Error),
    /// This machine could not try.
    NotTried(io::Error),
}

impl Attempt {
    pub(super) const fn can_bind(&self) -> bool {
        matches!(self, Self::Bound | Self::WithReuse(_))
    }

    pub(super) const fn error(&self) -> Option<&io::Error> {
        match self {
            Self::WithReuse(error) | Self::Refused(error) | Self::NotTried(error) => Some(error),
            Self::Bound | Self::NoFamily => None,
        }
    }
}

/// Binds, and lets go at once. An IPv6 address is bound without IPv4, so that each family has its
/// own answer.
pub(super) fn try_to_bind(transport: Transport, address: SocketAddr) -> Attempt {
    let refused = match bind(transport, address, false) {
        Ok(()) => return Attempt::Bound,
        Err(error) => error,
    };
    match refused {
        Refusal::NoSocket(error) if error.raw_os_error() == Some(NO_FAMILY) => Attempt::NoFamily,
        Refusal::NoSocket(error) => Attempt::NotTried(error),
        Refusal::Bind(error)
            if transport == Transport::Tcp && error.kind() == io::ErrorKind::AddrInUse =>
        {
            match bind(transport, address, true) {
                Ok(()) => Attempt::WithReuse(error),
                Err(_) => Attempt::Refused(error),
            }
        }
        Refusal::Bind(error) => Attempt::Refused(error),
    }
}

/// `EAFNOSUPPORT`
const NO_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();

enum Refusal {
    NoSocket(io::Error),
    Bind(io::Error),
}

fn bind(transport: Transport, address: SocketAddr, reuse: bool) -> Result<(), Refusal> {
    let (kind, protocol) = match transport {
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
        _ => (Type::STREAM, Protocol::TCP),
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))
        .map_err(Refusal::NoSocket)?;
    if address.is_ipv6() {
        socket.set_only_v6(true).map_err(Refusal::NoSocket)?;
    }
    if reuse {
        socket.set_reuse_address(true).map_err(Refusal::NoSocket)?;
    }
    socket.bind(&SockAddr::from(address)).map_err(Refusal::Bind)?;
    if reuse {
        // Two may bind with it, but only one listens.
        socket.listen(1).map_err(Refusal::Bind)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn held_ports_are_refused_and_let_go_ports_are_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(matches!(try_to_bind(Transport::Tcp, address), Attempt::Refused(_)));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert!(matches!(try_to_bind(Transport::Udp, address), Attempt::Refused(_)));
    }

    #[test]
    fn addresses_of_others_are_refused() {
        let address = "192.0.2.1:1".parse().unwrap();
        let attempt = try_to_bind(Transport::Udp, address);
        assert!(!attempt.can_bind() && attempt.error().is_some());
    }
}
