//! What a server tells its subscribers.

use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;

use crate::close_reason::CloseReason;
use crate::failure::Failure;

/// The number of a client: counted from 1, never used again by the same server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ClientId(u64);

impl ClientId {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Something that happened on a server. Data comes to the handler; here are only its lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// It listens on this address.
    Listening {
        /// The address, with the real port.
        address: SocketAddr,
    },
    /// A client connected.
    Connected {
        /// The client.
        client: ClientId,
        /// Its address.
        peer: SocketAddr,
    },
    /// A read brought data.
    Data {
        /// The client.
        client: ClientId,
        /// How many bytes.
        len: usize,
    },
    /// The client ended its stream; it may still be sent to.
    HalfClosed {
        /// The client.
        client: ClientId,
    },
    /// The connection is over.
    Disconnected {
        /// The client.
        client: ClientId,
        /// Its address.
        peer: SocketAddr,
        /// Why.
        reason: CloseReason,
        /// Bytes received from it.
        bytes_in: u64,
        /// Bytes sent to it, as far as the kernel took them.
        bytes_out: u64,
    },
    /// Messages for a client were given up.
    Dropped {
        /// The client.
        client: ClientId,
        /// How many messages.
        messages: usize,
        /// How many bytes of them were not sent.
        bytes: usize,
    },
    /// Something failed: on a client's connection, or while accepting. Accepting goes on by itself;
    /// an episode of failures is told once.
    Error {
        /// The client, where it was a client's.
        client: Option<ClientId>,
        /// What failed.
        failure: Failure,
    },
    /// The server is closed: no listener, no client. The last event.
    Closed,
}
