//! Why a raw socket did not send or receive.

use std::io;
use std::net::IpAddr;

use rustix::io::Errno;

/// Why a packet was not sent. Each is this machine's doing and says nothing of the destination.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// This machine's queue is full (`EAGAIN`, `ENOBUFS`): the packet can be sent again later.
    #[error("{length} bytes to {destination} were not sent: this machine's queue is full")]
    QueueFull {
        /// The packet's length, in bytes.
        length: usize,
        /// Where it was to go.
        destination: IpAddr,
        /// The cause.
        source: io::Error,
    },
    /// An IPv4 destination on an IPv6 socket, or the other way round.
    #[error("{destination} cannot be reached with an IPv{socket} socket")]
    WrongFamily {
        /// Where the packet was to go.
        destination: IpAddr,
        /// The socket's IP version.
        socket: u8,
    },
    /// The kernel refused it: no route, larger than the MTU, a malformed header, a rule.
    #[error("cannot send {length} bytes to {destination}")]
    Refused {
        /// The packet's length, in bytes.
        length: usize,
        /// Where it was to go.
        destination: IpAddr,
        /// The cause.
        source: io::Error,
    },
}

impl SendError {
    pub(super) fn new(length: usize, destination: IpAddr, source: io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(Errno::AGAIN | Errno::NOBUFS) => Self::QueueFull { length, destination, source },
            _ => Self::Refused { length, destination, source },
        }
    }
}

/// Receiving failed; that nothing is there is not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("cannot receive from the raw socket for protocol {protocol}")]
pub struct ReceiveError {
    /// The socket's protocol number.
    pub protocol: u8,
    /// The cause.
    pub source: io::Error,
}
