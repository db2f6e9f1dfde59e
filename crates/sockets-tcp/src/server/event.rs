//! What a server tells its subscribers.

use std::fmt;
use std::net::SocketAddr;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::close_reason::CloseReason;
use crate::failure::Failure;

/// The number of a client: counted from 1, never used again by the same server, nor by another one
/// with the same [`ClientNumbers`].
///
/// It can be made of a number, or read from text, by who gets one back that was given out: as
/// [`ServerEvent`]s in JSON have it. One that no client has does no harm: nothing is sent to it
/// ([`UnknownClientError`](crate::UnknownClientError)).
///
/// ```
/// use sockets_tcp::ClientId;
///
/// let id: ClientId = "7".parse()?;
/// assert_eq!(id, ClientId::from(7));
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(u64);

impl ClientId {
    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Where servers take the numbers of their clients from. Of servers that share one no two clients
/// have the same number, nor has anybody else who draws from it: a program with several counts all its
/// clients in one row.
#[derive(Clone, Debug, Default)]
pub struct ClientNumbers(Arc<AtomicU64>);

impl ClientNumbers {
    /// Numbers from 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many were drawn so far.
    pub fn drawn(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A number that nobody has had, higher than all before it.
    pub fn draw(&self) -> ClientId {
        ClientId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl From<u64> for ClientId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<ClientId> for u64 {
    fn from(id: ClientId) -> Self {
        id.0
    }
}

impl FromStr for ClientId {
    type Err = ParseIntError;

    /// The number in decimal digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Why a connection was closed before it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal {
    /// Its address has as many connections as it may have
    /// ([`max_connections_per_address`](crate::TcpServerBuilder::max_connections_per_address)).
    AddressLimit,
    /// The server was shutting down, and the connection still waited: for a place among the most
    /// clients, or to begin a TLS session.
    Shutdown,
    /// It was accepted, and then the runtime could not take its socket: this machine lacks memory,
    /// or places in its poller (on Linux `fs.epoll.max_user_watches`).
    Resources,
}

impl Refusal {
    /// The name in lower case, words joined by `-`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AddressLimit => "address-limit",
            Self::Shutdown => "shutdown",
            Self::Resources => "resources",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that happened on a server. Data comes to the handler; here are only its lengths.
///
/// Serialised, its `type` is the name in lower case, words joined by `-`, beside its fields:
/// `{"type":"half-closed","client":1}`. A duration is `{"secs":0,"nanos":0}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
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
        /// Bytes received from it and read by its handler.
        bytes_in: u64,
        /// Bytes sent to it, as far as the kernel took them.
        bytes_out: u64,
        /// Bytes that came from it when nobody was to read them any more, and were thrown away. They
        /// are not in `bytes_in`.
        discarded: u64,
    },
    /// Messages for a client were given up. When the server ends its connections, what others still
    /// had in hand for the client may be told behind its `Disconnected`.
    Dropped {
        /// The client.
        client: ClientId,
        /// How many messages.
        messages: usize,
        /// How many bytes of them were not sent.
        bytes: usize,
    },
    /// Something failed: on a client's connection, or while accepting. Accepting goes on by itself;
    /// an episode of failures is told once, and its end is `AcceptResumed`.
    Error {
        /// The client, where it was a client's.
        client: Option<ClientId>,
        /// What failed.
        failure: Failure,
    },
    /// As many clients as there may be are connected, and somebody waits to be accepted. Told once,
    /// until a place was free and nobody waited for it.
    Full {
        /// The most clients there may be
        /// ([`max_connections`](crate::TcpServerBuilder::max_connections)).
        max_connections: usize,
    },
    /// A connection was closed before it was served: its client sees a reset, but for
    /// [`Refusal::Resources`] an end.
    Refused {
        /// Its address.
        peer: SocketAddr,
        /// Why.
        reason: Refusal,
    },
    /// A connection began no TLS session, and was closed. It was never a client.
    HandshakeFailed {
        /// Its address.
        peer: SocketAddr,
        /// Why: bytes that are no TLS, no common version, a certificate refused, a time limit.
        failure: Failure,
    },
    /// An episode in which accepting failed is over: a connection was accepted again, or nobody
    /// waits and there are descriptors again.
    AcceptResumed {
        /// Connections that were reset meanwhile, for want of descriptors: those that waited longer
        /// than a tenth of a second.
        refused: u64,
        /// How long it lasted.
        lasted: Duration,
    },
    /// The server is closed: no listener, no client. The last event.
    Closed,
    /// The subscriber was slower than the channel is deep
    /// ([`event_capacity`](crate::TcpServerBuilder::event_capacity)): the oldest events are lost to it.
    Lagged {
        /// How many.
        missed: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_got_a_client_in_json_can_name_it_again() {
        let event = ServerEvent::HalfClosed { client: ClientNumbers::new().draw() };
        let line = serde_json::to_value(event).unwrap();
        let client: ClientId = serde_json::from_value(line["client"].clone()).unwrap();
        assert_eq!((client, u64::from(client)), (ClientId::from(1), 1));
        assert_eq!(client.to_string().parse(), Ok(client));
        assert!("-1".parse::<ClientId>().is_err());
    }
}
