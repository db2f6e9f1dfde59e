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
    /// All addresses of IPv6, but not those of IPv4 with them, as programs bind `[::]`; the error of
    /// that.
    Ipv6Alone {
        error: io::Error,
        /// Whether even that takes `SO_REUSEADDR`.
        needs_reuse: bool,
    },
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
            Self::WithReuse(error)
            | Self::Ipv6Alone { error, .. }
            | Self::Refused(error)
            | Self::NotTried(error) => Some(error),
            Self::Bound | Self::NoFamily => None,
        }
    }

    /// Whether somebody has the port.
    pub(super) fn is_in_use(&self) -> bool {
        matches!(self, Self::Refused(error) | Self::Ipv6Alone { error, .. }
            if error.kind() == io::ErrorKind::AddrInUse)
    }
}

/// Binds, and lets go at once. As programs do: `[::]` takes IPv4, too, where that is the system's
/// default (`net.ipv6.bindv6only`); if it cannot, IPv6 alone is tried.
pub(super) fn try_to_bind(transport: Transport, address: SocketAddr) -> Attempt {
    let refused = match bind(transport, address, As::default()) {
        Ok(()) => return Attempt::Bound,
        Err(error) => error,
    };
    match refused {
        Refusal::NoSocket(error) if error.raw_os_error() == Some(NO_FAMILY) => Attempt::NoFamily,
        Refusal::NoSocket(error) => Attempt::NotTried(error),
        Refusal::Bind(error) if error.kind() == io::ErrorKind::AddrInUse => {
            in_use(transport, address, error)
        }
        Refusal::Bind(error) => Attempt::Refused(error),
    }
}

/// What else can be done at an address where somebody has the port.
fn in_use(transport: Transport, address: SocketAddr, error: io::Error) -> Attempt {
    // Of UDP sockets that share a port by `SO_REUSEADDR` the last one gets what comes: an attempt would
    // take it from whoever is served there.
    let works = |reuse: bool, ipv6_alone: bool| {
        (!reuse || transport == Transport::Tcp)
            && bind(transport, address, As { reuse, ipv6_alone }).is_ok()
    };
    let is_all_of_ipv6 = address.is_ipv6() && address.ip().is_unspecified();
    if works(true, false) {
        Attempt::WithReuse(error)
    } else if is_all_of_ipv6 && works(false, true) {
        Attempt::Ipv6Alone { error, needs_reuse: false }
    } else if is_all_of_ipv6 && works(true, true) {
        Attempt::Ipv6Alone { error, needs_reuse: true }
    } else {
        Attempt::Refused(error)
    }
}

/// `EAFNOSUPPORT`
const NO_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();

/// How a socket is bound.
#[derive(Clone, Copy, Default)]
struct As {
    /// `SO_REUSEADDR`
    reuse: bool,
    /// `IPV6_V6ONLY`, whatever the system's default.
    ipv6_alone: bool,
}

enum Refusal {
    NoSocket(io::Error),
    Bind(io::Error),
}

fn bind(transport: Transport, address: SocketAddr, how: As) -> Result<(), Refusal> {
    let (kind, protocol) = match transport {
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
        _ => (Type::STREAM, Protocol::TCP),
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))
        .map_err(Refusal::NoSocket)?;
    if how.ipv6_alone {
        socket.set_only_v6(true).map_err(Refusal::NoSocket)?;
    }
    if how.reuse {
        socket.set_reuse_address(true).map_err(Refusal::NoSocket)?;
    }
    socket.bind(&SockAddr::from(address)).map_err(Refusal::Bind)?;
    if how.reuse {
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
    fn all_of_ipv6_takes_ipv4_with_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |port| SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port);
        let attempt = try_to_bind(Transport::Tcp, address(listener.local_addr().unwrap().port()));
        assert!(attempt.is_in_use() && !attempt.can_bind(), "{attempt:?}");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let attempt = try_to_bind(Transport::Udp, address(socket.local_addr().unwrap().port()));
        assert!(attempt.is_in_use() && !attempt.can_bind(), "{attempt:?}");
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_bound_as_programs_bind_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let attempt =
            |ip: &str| try_to_bind(Transport::Tcp, SocketAddr::new(ip.parse().unwrap(), port));
        assert!(matches!(attempt("::ffff:127.0.0.1"), Attempt::Refused(_)));
        assert!(attempt("::ffff:127.0.0.1").is_in_use());
        assert!(attempt("::ffff:127.0.0.2").can_bind());
    }

    #[test]
    fn addresses_of_others_are_refused() {
        let address = "192.0.2.1:1".parse().unwrap();
        let attempt = try_to_bind(Transport::Udp, address);
        assert!(!attempt.can_bind() && attempt.error().is_some());
    }
}
