//! Why sending can fail: one set of words, whichever way a datagram is sent.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nix::errno::Errno;

use crate::mtu;
use crate::outgoing::Message;
use crate::path::Path;

/// Why a datagram was not sent. Not one byte of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket was closed, before the call or during it.
    #[error("cannot send to udp {target}: the socket is closed")]
    Closed {
        /// Where it should have gone.
        target: SocketAddr,
    },
    /// No datagram is that long. Split it: UDP does not.
    #[error("cannot send {} to udp {target}: a datagram holds at most {limit}", Bytes(*size))]
    MessageTooLong {
        /// Where it should have gone.
        target: SocketAddr,
        /// The length asked for, in bytes.
        size: usize,
        /// The longest possible, in bytes: [`MAX_PAYLOAD_V4`](crate::MAX_PAYLOAD_V4) or
        /// [`MAX_PAYLOAD_V6`](crate::MAX_PAYLOAD_V6).
        limit: usize,
    },
    /// The datagram is longer than the path takes, and may not be fragmented.
    #[error(
        "cannot send {} to udp {target}: {}{}", Bytes(*size), Limit(*limit, *target),
        if *dont_fragment { ", and this socket does not fragment" } else { "" }
    )]
    ExceedsMtu {
        /// Where it should have gone.
        target: SocketAddr,
        /// The length asked for, in bytes.
        size: usize,
        /// The longest payload that goes there unfragmented, in bytes, from the same address and by
        /// the same interface: the MTU less the headers. `None` where it is not known.
        limit: Option<usize>,
        /// Whether the socket forbids fragments (the DF bit): by
        /// [`dont_fragment`](crate::UdpSocketBuilder::dont_fragment), or the system's setting.
        dont_fragment: bool,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Port 0 stands for "any" in `bind`; nobody receives there.
    #[error("cannot send to udp {target}: 0 is not a port to send to")]
    PortZero {
        /// Where it should have gone.
        target: SocketAddr,
    },
    /// The address to send from is none of this machine's.
    #[error("cannot send to udp {target} from {from}: not an address of this machine")]
    SourceNotAvailable {
        /// Where it should have gone.
        target: SocketAddr,
        /// The address to send from.
        from: IpAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The socket does not speak the target's IP version.
    #[error("cannot send to udp {target} from {local}: not the same IP version")]
    FamilyMismatch {
        /// Where it should have gone.
        target: SocketAddr,
        /// The address of the socket.
        local: SocketAddr,
    },
    /// A broadcast address, and the socket was not opened for it.
    #[error(
        "cannot send to udp {target}: a broadcast address, and the socket may not broadcast; open it \
         with `.broadcast(true)`"
    )]
    BroadcastNotEnabled {
        /// Where it should have gone.
        target: SocketAddr,
    },
    /// This machine has no way to the target: no route, no neighbour, interface down.
    #[error("cannot send to udp {target}: {}", NoWay(source, *target))]
    Unreachable {
        /// Where it should have gone.
        target: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// This machine may not send that: a firewall rule, a route that prohibits it, or a missing
    /// privilege.
    #[error("cannot send to udp {target}: forbidden on this machine, such as by {}", Ban(source))]
    Forbidden {
        /// Where it should have gone.
        target: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// This machine had no room for it: in its memory, or in its queue to the link (`ENOBUFS`), which only
    /// a socket with [`peer_errors`](crate::UdpSocketBuilder::peer_errors) is told of. Send it later, and
    /// more slowly.
    #[error(
        "cannot send to udp {target}: this machine has no room for it just now; send more slowly"
    )]
    NoRoom {
        /// Where it should have gone.
        target: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel refused for another reason.
    #[error("cannot send {} to udp {target}", Bytes(*size))]
    Io {
        /// Where it should have gone.
        target: SocketAddr,
        /// The length asked for, in bytes.
        size: usize,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl SendError {
    /// The error of a message that failed with `source`.
    pub(crate) fn from_kernel(source: io::Error, message: &Message<'_>) -> Self {
        use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, PermissionDenied};
        let (size, target) = (message.data.len(), message.target);
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMSGSIZE) => {
                Self::ExceedsMtu { target, size, limit: None, dont_fragment: false, source }
            }
            Some(Errno::ENOBUFS | Errno::ENOMEM) => Self::NoRoom { target, source },
            // The interface to send from is gone.
            Some(Errno::ENODEV | Errno::ENXIO) => Self::Unreachable { target, source },
            _ => match source.kind() {
                HostUnreachable | NetworkUnreachable | NetworkDown => {
                    Self::Unreachable { target, source }
                }
                PermissionDenied => Self::Forbidden { target, source },
                _ => Self::Io { target, size, source },
            },
        }
    }

    /// The same, with what this machine knows of the cause: the path's MTU, that it is a broadcast
    /// which this socket may not send, or that the address to send from is not here, for which kernels
    /// have several names. `path` is asked for where it matters.
    pub(crate) fn explained(
        self,
        message: &Message<'_>,
        may_broadcast: bool,
        path: impl Fn() -> Option<Path>,
    ) -> Self {
        match (self, message.control.source) {
            (Self::ExceedsMtu { target, size, source, .. }, _) => {
                let path = path();
                let limit = path.as_ref().and_then(mtu::payload_limit);
                Self::ExceedsMtu {
                    target,
                    size,
                    limit: limit.filter(|limit| *limit < size),
                    dont_fragment: path.is_some_and(|path| path.forbids_fragments),
                    source,
                }
            }
            // ip(7): EPERM is a firewall's; EACCES a broadcast without SO_BROADCAST, or a route that
            // forbids it.
            (Self::Forbidden { target, source }, _)
                if !may_broadcast
                    && source.raw_os_error() == Some(Errno::EACCES as i32)
                    && path().is_some_and(|path| path.is_broadcast().unwrap_or(false)) =>
            {
                Self::BroadcastNotEnabled { target }
            }
            (
                Self::Io { target, source, .. } | Self::Unreachable { target, source },
                Some(from),
            ) if !is_here(from) => Self::SourceNotAvailable { target, from, source },
            (Self::Io { target, source, .. }, _)
                if source.raw_os_error() == Some(Errno::EINVAL as i32)
                    && path().is_some_and(|path| path.is_blackhole()) =>
            {
                Self::Unreachable { target, source }
            }
            (other, _) => other,
        }
    }

    /// What sort of failure it is.
    pub(crate) fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Closed { .. } => io::ErrorKind::NotConnected,
            Self::MessageTooLong { .. } | Self::PortZero { .. } | Self::FamilyMismatch { .. } => {
                io::ErrorKind::InvalidInput
            }
            Self::BroadcastNotEnabled { .. } => io::ErrorKind::PermissionDenied,
            Self::ExceedsMtu { source, .. }
            | Self::SourceNotAvailable { source, .. }
            | Self::Unreachable { source, .. }
            | Self::Forbidden { source, .. }
            | Self::NoRoom { source, .. }
            | Self::Io { source, .. } => source.kind(),
        }
    }
}

/// Whether an address is one of this machine's, as far as `bind` knows.
fn is_here(address: IpAddr) -> bool {
    let bound = std::net::UdpSocket::bind((address, 0));
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// A length, in words.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// What the path to a target leaves to a datagram.
struct Limit(Option<usize>, SocketAddr);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(limit) => {
                let mtu = limit + mtu::headers(self.1);
                write!(f, "the path's MTU of {mtu} leaves room for {limit}")
            }
            None => f.write_str("longer than the path's MTU allows"),
        }
    }
}

/// Why there is no way to a target.
struct NoWay<'a>(&'a io::Error, SocketAddr);

impl fmt::Display for NoWay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENODEV | Errno::ENXIO) => "the interface to send by is not there",
            Some(Errno::ENETDOWN) => "the interface to send by is down",
            Some(Errno::EINVAL) => "a `blackhole` route leads there (`ip route get`)",
            _ if is_for_many(self.1.ip().to_canonical()) => {
                "no way there from this machine; name an interface to send by that is there"
            }
            _ => "no way there from this machine",
        })
    }
}

/// Whether no route may lead there, and an interface be named instead.
fn is_for_many(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == Ipv4Addr::BROADCAST
}

/// What may be behind a refusal, as far as ip(7) tells them apart.
struct Ban<'a>(&'a io::Error);

impl fmt::Display for Ban<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EPERM) => "a firewall rule (`nft list ruleset`)",
            Some(Errno::EACCES) => "a `prohibit` route (`ip route get`)",
            _ => "a firewall rule or a `prohibit` route",
        })
    }
}
