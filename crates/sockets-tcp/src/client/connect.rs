//! One try to connect, and why it failed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ports_core::{FiveTuple, Transport};
use rustix::io::Errno;
use stats::ErrorKind;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::Target;

/// Why a connection was not made. Where a name has several addresses: why the last one failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name was not resolved.
    #[error("cannot resolve {target}")]
    Resolve {
        /// The name.
        target: Target,
        /// What the resolver said.
        source: io::Error,
    },
    /// The name has no address.
    #[error("cannot connect to {target}: it has no address")]
    NoAddress {
        /// The name.
        target: Target,
    },
    /// Nobody listens there.
    #[error("cannot connect to {address}: refused, nothing listens there")]
    Refused {
        /// The address tried.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// No answer in time.
    #[error("cannot connect to {target}: no answer within {timeout:?}")]
    TimedOut {
        /// Whom: the address tried, or the name while it was looked up.
        target: Target,
        /// The time given; the kernel's own limit may be shorter.
        timeout: Duration,
    },
    /// There is no way there: no route here, or a router on the way said so.
    #[error("cannot connect to {address}: no way there")]
    Unreachable {
        /// The address tried.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The socket connected to itself: the port lies in the range of the kernel's ephemeral ports,
    /// and nothing listens there (RFC 9293 section 3.5, simultaneous open).
    #[error("cannot connect to {address}: nothing listens there, the socket met itself")]
    SelfConnection {
        /// The address tried.
        address: SocketAddr,
    },
    /// This machine could not even try: no descriptors, no local port, no permission. It says
    /// nothing about the other end.
    #[error("cannot connect to {address}: this machine failed to {operation}")]
    Local {
        /// What was done.
        operation: &'static str,
        /// The address tried.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something else went wrong on the way.
    #[error("cannot connect to {address}")]
    Io {
        /// The address tried.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The client was closed meanwhile.
    #[error("the client of {target} was closed before it connected")]
    Closed {
        /// Whom it was to connect to.
        target: Target,
    },
}

impl ConnectError {
    /// The kind it is counted as.
    pub(super) fn counted_as(&self) -> ErrorKind {
        match self {
            Self::Resolve { .. } | Self::NoAddress { .. } => ErrorKind::Resolve,
            Self::TimedOut { .. } => ErrorKind::Timeout,
            Self::Unreachable { .. } => ErrorKind::Unreachable,
            _ => ErrorKind::Connect,
        }
    }

    fn of_io(address: SocketAddr, limit: Duration, source: io::Error) -> Self {
        const LOCAL: [Errno; 8] = [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::ADDRNOTAVAIL,
            Errno::ADDRINUSE,
            Errno::ACCESS,
            Errno::PERM,
        ];
        if Errno::from_io_error(&source).is_some_and(|errno| LOCAL.contains(&errno)) {
            return Self::Local { operation: "connect", address, source };
        }
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { address, source },
            io::ErrorKind::TimedOut => Self::TimedOut { target: address.into(), timeout: limit },
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Self::Unreachable { address, source },
            _ => Self::Io { address, source },
        }
    }
}

/// How to connect.
#[derive(Clone, Debug)]
pub(super) struct Dialing {
    pub(super) target: Target,
    pub(super) source: Option<IpAddr>,
    pub(super) timeout: Duration,
    pub(super) no_delay: bool,
}

/// A connection, and how long it took to make it.
#[derive(Debug)]
pub(super) struct Dialed {
    pub(super) stream: TcpStream,
    pub(super) tuple: FiveTuple,
    pub(super) took: Duration,
}

impl Dialing {
    /// One try: each address of the target in turn.
    pub(super) async fn dial(&self) -> Result<Dialed, ConnectError> {
        let target = || self.target.clone();
        let addresses = timeout(self.timeout, self.target.resolve())
            .await
            .map_err(|_| ConnectError::TimedOut { target: target(), timeout: self.timeout })?
            .map_err(|source| ConnectError::Resolve { target: target(), source })?;
        let mut last = ConnectError::NoAddress { target: target() };
        for address in addresses {
            match self.dial_address(address).await {
                Ok(dialed) => return Ok(dialed),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn dial_address(&self, address: SocketAddr) -> Result<Dialed, ConnectError> {
        let local = |operation: &'static str| {
            move |source| ConnectError::Local { operation, address, source }
        };
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(local("open a socket"))?;
        if let Some(source) = self.source {
            socket.bind(SocketAddr::new(source, 0)).map_err(local("bind the source address"))?;
        }
        let begun = Instant::now();
        let stream = timeout(self.timeout, socket.connect(address))
            .await
            .map_err(|_| ConnectError::TimedOut { target: address.into(), timeout: self.timeout })?
            .map_err(|source| ConnectError::of_io(address, self.timeout, source))?;
        let took = begun.elapsed();
        let failed = |source| ConnectError::of_io(address, self.timeout, source);
        let tuple = FiveTuple::new(
            Transport::Tcp,
            stream.local_addr().map_err(failed)?,
            stream.peer_addr().map_err(failed)?,
        );
        if tuple.is_self_connection() {
            return Err(ConnectError::SelfConnection { address });
        }
        stream.set_nodelay(self.no_delay).map_err(failed)?;
        Ok(Dialed { stream, tuple, took })
    }
}
