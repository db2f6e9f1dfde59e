//! One probe socket: opened, bound where it must be, connected as often as it will.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use ports_core::Port;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::error_queue::{self, IcmpError};
use super::own::{OwnPort, OwnSockets};

/// Whether a socket whose connect was refused may connect again. Linux puts it back to unconnected
/// (`__inet_stream_connect` in `net/ipv4/af_inet.c`); POSIX leaves that open.
pub(super) const REUSABLE_AFTER_REFUSAL: bool = cfg!(target_os = "linux");

/// Which sockets may serve a target: those of its family, with the source address it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SocketKind {
    pub(super) v6: bool,
    /// Bound to this address and a port of the kernel's choice; else the kernel chooses at connect.
    pub(super) source: Option<IpAddr>,
    /// The source is also the target: the port is entered in [`OwnSockets`].
    pub(super) own: bool,
}

#[derive(Debug)]
pub(super) struct ProbeSocket {
    pub(super) kind: SocketKind,
    pub(super) stream: TcpStream,
    /// Known to the poller; stays so until it is closed.
    pub(super) registered: bool,
    bound: Option<OwnPort>,
}

impl ProbeSocket {
    /// Opens a socket of `kind`; what is not for this machine itself leaves by `interface`.
    pub(super) fn open(
        kind: SocketKind,
        own: &Arc<OwnSockets>,
        interface: Option<&str>,
    ) -> io::Result<Self> {
        let domain = if kind.v6 { Domain::IPV6 } else { Domain::IPV4 };
        // Non-blocking and close-on-exec in the same system call where the kernel can.
        let socket =
            Socket::new(domain, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
        error_queue::keep(&socket, kind.v6)?;
        #[cfg(target_os = "linux")]
        if let Some(interface) = interface.filter(|_| !kind.own) {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        #[cfg(not(target_os = "linux"))]
        let _ = interface;
        let mut bound = None;
        if let Some(source) = kind.source {
            socket.bind(&SocketAddr::new(source, Port::ANY.number()).into())?;
            if kind.own {
                let port = socket.local_addr()?.as_socket().map_or(0, |local| local.port());
                bound = Some(OwnPort::enter(own, source, Port::new(port)));
            }
        }
        let stream = TcpStream::from_std(socket.into());
        Ok(Self { kind, stream, registered: false, bound })
    }

    /// Starts to connect, or reads how far it has come: the kernel's answer to a repeated connect is
    /// the result of the first.
    pub(super) fn connect(&self, target: &SockAddr) -> io::Result<()> {
        SockRef::from(&self.stream).connect(target)
    }

    /// The ICMP message about the probe to `target`, if there is one.
    pub(super) fn icmp_error(&self, target: SocketAddr) -> Option<IcmpError> {
        error_queue::take(&self.stream, target)
    }

    /// Both ends of the connection, this one first.
    pub(super) fn ends(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.stream.local_addr()?, self.stream.peer_addr()?))
    }

    /// Closes with a reset: the connection leaves no `TIME_WAIT` behind that would use up ports.
    pub(super) fn abort(self) {
        // Where the peer closed first there is nothing to linger for.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        let Self { stream, bound, .. } = self;
        drop(stream);
        drop(bound);
    }
}
