//! A received datagram, and why receiving can fail.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

/// One datagram, whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Datagram {
    /// The payload, 0 to 65,527 bytes. An empty datagram is data like any other, not an end.
    pub data: Bytes,
    /// Who sent it; an IPv4 sender is an IPv4 address on a dual-stack socket, too.
    pub source: SocketAddr,
    /// The address it was sent to: one of this machine's, a group or a broadcast address. `None`
    /// where the kernel did not say.
    pub destination: Option<IpAddr>,
    /// The address of this machine that an answer should come from, for
    /// [`send_from`](crate::UdpSocket::send_from): the destination; for a broadcast or a group of
    /// IPv4 an address of the interface; `None` for a group of IPv6, where the routes choose.
    pub local: Option<IpAddr>,
    /// The index of the interface it came in on; 0 where the kernel did not say.
    pub interface: u32,
}

/// What [`recv_into`](crate::UdpSocket::recv_into) put into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Received {
    /// How many bytes of the buffer are filled.
    pub stored: usize,
    /// How many bytes the datagram had; more than `stored` where the buffer was too small.
    pub length: usize,
    /// Who sent it.
    pub source: SocketAddr,
    /// As [`Datagram::destination`].
    pub destination: Option<IpAddr>,
    /// As [`Datagram::local`].
    pub local: Option<IpAddr>,
    /// As [`Datagram::interface`].
    pub interface: u32,
}

impl Received {
    /// Whether the end of the datagram did not fit into the buffer and is lost.
    pub const fn is_truncated(&self) -> bool {
        self.stored < self.length
    }
}

/// Why nothing could be received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The socket was closed, before the call or during it.
    #[error("cannot receive on udp {local}: the socket is closed")]
    Closed {
        /// The address the socket had.
        local: SocketAddr,
    },
    /// An ICMP message said that an earlier datagram did not arrive, on a socket that
    /// [returns such errors](crate::UdpSocketBuilder::return_peer_errors). The socket goes on.
    #[error("cannot receive on udp {local}: what was sent from it did not arrive")]
    PeerUnreachable {
        /// The address of the socket.
        local: SocketAddr,
        /// What the message said, such as [`io::ErrorKind::ConnectionRefused`] for a closed port.
        #[source]
        source: io::Error,
    },
    /// The kernel refused.
    #[error("cannot receive on udp {local}")]
    Io {
        /// The address of the socket.
        local: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
}
