//! What is sent, why sending can fail, and what is checked before the kernel is asked.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use sockets_sys::SendControl;

use crate::mtu;
use crate::outgoing::Message;
use crate::path::Path;

/// The longest payload of a datagram over IPv4: 65,535 less 20 bytes of IP header (RFC 791) and 8
/// of UDP header (RFC 768).
pub const MAX_PAYLOAD_V4: usize = 65_507;
/// The longest payload over IPv6 without jumbograms: its length field does not count the IP
/// header (RFC 8200 section 3), so only the 8 bytes of UDP header go off.
pub const MAX_PAYLOAD_V6: usize = 65_527;

/// A datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) target: SocketAddr,
    pub(crate) from: Option<IpAddr>,
    interface: u32,
    broadcast: bool,
}

impl<'a> Outgoing<'a> {
    /// These bytes to that address, by the way that the routes choose.
    pub const fn new(data: &'a [u8], target: SocketAddr) -> Self {
        Self { data, target, from: None, interface: 0, broadcast: false }
    }

    /// The bytes.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Where they go.
    pub const fn target(&self) -> SocketAddr {
        self.target
    }

    /// From this address, which must be one of this machine's; see
    /// [`send_from`](crate::UdpSocket::send_from).
    #[must_use]
    pub const fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// By the interface with this index; 0 where the routes choose.
    #[must_use]
    pub const fn interface(mut self, index: u32) -> Self {
        self.interface = index;
        self
    }

    /// To an address that is known to be a broadcast address.
    pub(crate) const fn broadcast(mut self) -> Self {
        self.broadcast = true;
        self
    }

    pub(crate) fn is_broadcast(&self) -> bool {
        self.broadcast || self.target.ip() == Ipv4Addr::BROADCAST
    }

    pub(crate) const fn control(&self) -> SendControl {
        SendControl { source: self.from, interface: self.interface, segment_size: None }
    }
}

/// What became of the datagrams of one call: each was sent, or failed.
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "it may hold errors"]
pub struct SendReport {
    /// How many the kernel took.
    pub sent: usize,
    /// The others, in the order they were given.
    pub failed: Vec<FailedSend>,
}

impl SendReport {
    /// Whether all were sent.
    pub const fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }
}

/// A datagram of several that was not sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedSend {
    /// Its place among those given, from 0.
    pub index: usize,
    /// Why.
    pub error: SendError,
}

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
    #[error("cannot send {size} bytes to udp {target}: a datagram holds at most {limit}")]
    MessageTooLong {
        /// Where it should have gone.
        target: SocketAddr,
        /// The length asked for, in bytes.
        size: usize,
        /// The longest possible, in bytes: [`MAX_PAYLOAD_V4`] or [`MAX_PAYLOAD_V6`].
        limit: usize,
    },
    /// The datagram is longer than the path takes, and may not be fragmented.
    #[error(
        "cannot send {size} bytes to udp {target}: {}{}", Limit(*limit),
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
        "cannot broadcast to udp {target}: open the socket with `.broadcast(true)` to allow it"
    )]
    BroadcastNotEnabled {
        /// Where it should have gone.
        target: SocketAddr,
    },
    /// This machine has no way to the target: no route, no neighbour, interface down.
    #[error("cannot send to udp {target}: no way there from this machine")]
    Unreachable {
        /// Where it should have gone.
        target: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// This machine may not send that: a firewall rule, a route that prohibits it, or a missing
    /// privilege.
    #[error(
        "cannot send to udp {target}: forbidden on this machine, such as by a firewall rule or a \
         `prohibit` route"
    )]
    Forbidden {
        /// Where it should have gone.
        target: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel refused for another reason.
    #[error("cannot send {size} bytes to udp {target}")]
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
        use nix::errno::Errno;
        let (size, target) = (message.data.len(), message.target);
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMSGSIZE) => {
                Self::ExceedsMtu { target, size, limit: None, dont_fragment: false, source }
            }
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
        path: impl FnOnce() -> Option<Path>,
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
                    && source.raw_os_error() == Some(nix::errno::Errno::EACCES as i32)
                    && path().is_some_and(|path| path.is_broadcast()) =>
            {
                Self::BroadcastNotEnabled { target }
            }
            (
                Self::Io { target, source, .. } | Self::Unreachable { target, source },
                Some(from),
            ) if !is_here(from) => Self::SourceNotAvailable { target, from, source },
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
            | Self::Io { source, .. } => source.kind(),
        }
    }
}

/// Whether an address is one of this machine's, as far as `bind` knows.
fn is_here(address: IpAddr) -> bool {
    let bound = std::net::UdpSocket::bind((address, 0));
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

struct Limit(Option<usize>);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(limit) => write!(f, "the MTU of the path leaves room for {limit}"),
            None => f.write_str("longer than the MTU of the path allows"),
        }
    }
}

/// Which targets a socket can reach at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
    DualStack,
}

impl Family {
    /// The target as the kernel must see it, or the error that it would only name by number.
    pub(crate) fn check_target(
        self,
        size: usize,
        target: SocketAddr,
        local: SocketAddr,
    ) -> Result<SocketAddr, SendError> {
        if target.port() == 0 {
            return Err(SendError::PortZero { target });
        }
        let ip = target.ip().to_canonical();
        let limit = if ip.is_ipv4() { MAX_PAYLOAD_V4 } else { MAX_PAYLOAD_V6 };
        if size > limit {
            return Err(SendError::MessageTooLong { target, size, limit });
        }
        match (self, ip) {
            (Self::V4, IpAddr::V4(ip)) => Ok(SocketAddr::from((ip, target.port()))),
            (Self::DualStack, IpAddr::V4(ip)) => {
                Ok(SocketAddrV6::new(ip.to_ipv6_mapped(), target.port(), 0, 0).into())
            }
            (Self::V6 | Self::DualStack, IpAddr::V6(_)) => Ok(target),
            (Self::V4, IpAddr::V6(_)) | (Self::V6, IpAddr::V4(_)) => {
                Err(SendError::FamilyMismatch { target, local })
            }
        }
    }
}

#[cfg(test)]
mod tests;
