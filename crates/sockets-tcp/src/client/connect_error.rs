//! Why a connection was not made.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ports_core::lacks_zone;
use rustix::io::Errno;
use stats::ErrorKind;

use super::Target;
use crate::failure::in_full;
#[cfg(feature = "tls")]
use crate::tls::{TlsError, TlsFault};

/// Why a connection was not made.
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
    /// The address is of a link, and the link is not said ([`SocketAddrV6::scope_id`]).
    ///
    /// [`SocketAddrV6::scope_id`]: std::net::SocketAddrV6::scope_id
    #[error(
        "cannot connect to {address}: it is an address of one link; say of which by the index of \
         its interface, as in `[fe80::1%2]:80`"
    )]
    NoZone {
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
    /// The address to connect from cannot be had: it is none of this machine's, or of another
    /// family.
    #[error("cannot connect to {address} from {from}")]
    Source {
        /// The address tried.
        address: SocketAddr,
        /// The address to connect from.
        from: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The interface to connect through cannot be had: there is none of that name.
    #[error("cannot connect to {address} through the interface `{interface}`")]
    Interface {
        /// The address tried.
        address: SocketAddr,
        /// Its name.
        interface: String,
        /// What the kernel said.
        source: io::Error,
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
    /// The server's certificate is not accepted: whose it is, who signed it, or when it is valid.
    #[cfg(feature = "tls")]
    #[error("cannot connect to {address} as {server_name}")]
    Certificate {
        /// The address tried.
        address: SocketAddr,
        /// Who the server was to be.
        server_name: String,
        /// What is wrong with the certificate.
        source: crate::TlsError,
    },
    /// The TLS handshake failed for another reason than the server's certificate.
    #[cfg(feature = "tls")]
    #[error("cannot connect to {address}: the TLS handshake failed")]
    Handshake {
        /// The address tried.
        address: SocketAddr,
        /// What the kernel said, or TLS did; the latter is a [`TlsError`](crate::TlsError) inside.
        source: io::Error,
    },
    /// The server accepted the connection, and did not finish the TLS handshake in time.
    #[cfg(feature = "tls")]
    #[error("cannot connect to {address}: accepted, but no TLS handshake within {timeout:?}")]
    HandshakeTimedOut {
        /// The address tried.
        address: SocketAddr,
        /// The time given to the whole try.
        timeout: Duration,
    },
    /// The target has several addresses, and none of them connected. The text names each one with
    /// its cause.
    #[error("cannot connect to {target}: {}", Causes { failures, untried })]
    AllFailed {
        /// The target.
        target: Target,
        /// Why not, one for each address that was tried, in the order in which they failed.
        failures: Vec<ConnectError>,
        /// Addresses that were not tried: the time was over before, or they are more than
        /// [`MAX_ADDRESSES`](super::TcpClientBuilder::MAX_ADDRESSES).
        untried: Vec<SocketAddr>,
    },
    /// The client was closed meanwhile.
    #[error("the client of {target} was closed before it connected")]
    Closed {
        /// Whom it was to connect to.
        target: Target,
    },
}

impl ConnectError {
    /// Whether trying again is no use before somebody has changed something: a target that is no
    /// target, or an address without its zone, a certificate that is not accepted, ends that do not agree on how to speak TLS. Where
    /// several addresses failed: all of them in such a way.
    pub fn is_permanent(&self) -> bool {
        if let Self::AllFailed { failures, .. } = self {
            return !failures.is_empty() && failures.iter().all(Self::is_permanent);
        }
        #[cfg(feature = "tls")]
        if let Some(fault) = self.tls_fault() {
            return fault.is_permanent();
        }
        // What the resolver does not even look up.
        match self {
            Self::Resolve { source, .. } => source.kind() == io::ErrorKind::InvalidInput,
            Self::NoZone { .. } => true,
            _ => false,
        }
    }

    /// What is wrong, where it was TLS that failed. Where several addresses failed: what is wrong
    /// with the first of which that is so.
    #[cfg(feature = "tls")]
    pub fn tls_fault(&self) -> Option<TlsFault> {
        match self {
            Self::Certificate { source, .. } => Some(source.fault()),
            Self::Handshake { source, .. } => TlsError::of_io(source).map(TlsError::fault),
            Self::AllFailed { failures, .. } => failures.iter().find_map(Self::tls_fault),
            _ => None,
        }
    }

    /// What is said of an address that the time ran out for.
    pub(super) fn of_time(address: SocketAddr, timeout: Duration, accepted: bool) -> Self {
        #[cfg(feature = "tls")]
        if accepted {
            return Self::HandshakeTimedOut { address, timeout };
        }
        let _ = accepted;
        Self::TimedOut { target: address.into(), timeout }
    }

    /// What came of several tries: the only failure itself where there was one.
    pub(super) fn of_race(
        target: &Target,
        mut failures: Vec<Self>,
        untried: Vec<SocketAddr>,
    ) -> Self {
        let only = if untried.is_empty() && failures.len() == 1 { failures.pop() } else { None };
        only.unwrap_or_else(|| Self::AllFailed { target: target.clone(), failures, untried })
    }

    /// The kind it is counted as.
    pub(super) fn counted_as(&self) -> ErrorKind {
        match self {
            Self::Resolve { .. } | Self::NoAddress { .. } => ErrorKind::Resolve,
            Self::TimedOut { .. } => ErrorKind::Timeout,
            #[cfg(feature = "tls")]
            Self::HandshakeTimedOut { .. } => ErrorKind::Timeout,
            Self::Unreachable { .. } => ErrorKind::Unreachable,
            Self::AllFailed { failures, .. } => {
                failures.last().map_or(ErrorKind::Timeout, Self::counted_as)
            }
            _ => ErrorKind::Connect,
        }
    }

    pub(super) fn of_io(address: SocketAddr, limit: Duration, source: io::Error) -> Self {
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
            io::ErrorKind::InvalidInput if lacks_zone(address) => Self::NoZone { address, source },
            io::ErrorKind::TimedOut => Self::TimedOut { target: address.into(), timeout: limit },
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Self::Unreachable { address, source },
            _ => Self::Io { address, source },
        }
    }

    /// The error and its causes in one line.
    pub(super) fn in_full(&self) -> String {
        in_full(self)
    }
}

/// Each address with its cause.
struct Causes<'a> {
    failures: &'a [ConnectError],
    untried: &'a [SocketAddr],
}

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, failure) in self.failures.iter().enumerate() {
            let text = failure.in_full();
            // What the whole text begins with is not said again.
            let text = text.strip_prefix("cannot connect to ").unwrap_or(&text);
            write!(f, "{}{text}", if place == 0 { "" } else { "; " })?;
        }
        for (place, address) in self.untried.iter().enumerate() {
            let first = if self.failures.is_empty() { "not tried: " } else { "; not tried: " };
            write!(f, "{}{address}", if place == 0 { first } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 128 bytes on, clippy warns whoever returns it (`result_large_err`).
    #[test]
    fn it_is_not_too_large_to_be_returned() {
        assert!(size_of::<ConnectError>() < 128, "{}", size_of::<ConnectError>());
    }

    #[test]
    fn an_address_without_its_zone_says_what_is_missing() {
        let (address, limit) = ("[fe80::1]:80".parse().unwrap(), Duration::from_secs(1));
        let error = ConnectError::of_io(address, limit, Errno::INVAL.into());
        assert!(matches!(error, ConnectError::NoZone { .. }), "{error:?}");
        assert!(error.is_permanent());
        assert!(error.to_string().contains("[fe80::1%2]:80"), "{error}");
        let address = "[::1]:80".parse().unwrap();
        let error = ConnectError::of_io(address, limit, Errno::INVAL.into());
        assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
    }

    #[test]
    fn several_addresses_are_named_each_with_its_cause() {
        let address = |last| SocketAddr::from(([127, 0, 0, last], 80));
        let failures = vec![
            ConnectError::of_io(address(2), Duration::ZERO, Errno::CONNREFUSED.into()),
            ConnectError::TimedOut { target: address(3).into(), timeout: Duration::from_secs(1) },
        ];
        let target = Target::from(("example.test", 80));
        let error = ConnectError::of_race(&target, failures, vec![address(4), address(5)]);
        let refused = io::Error::from(Errno::CONNREFUSED);
        assert_eq!(
            error.to_string(),
            format!(
                "cannot connect to example.test:80: 127.0.0.2:80: refused, nothing listens there: \
                 {refused}; 127.0.0.3:80: no answer within 1s; not tried: 127.0.0.4:80, \
                 127.0.0.5:80"
            )
        );
        assert_eq!(error.counted_as(), ErrorKind::Timeout);
        assert!(!error.is_permanent());
    }
}
