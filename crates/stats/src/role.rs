//! Which side of a connection a socket is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which side of a connection a socket is. The two ends of one connection inside one process are
/// two sockets, and their roles keep them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// It was accepted.
    Server,
    /// It connected.
    Client,
    /// Neither: a UDP socket, whose other ends come and go with each datagram.
    Peer,
}

impl Role {
    /// All roles.
    pub const ALL: &'static [Self] = &[Self::Server, Self::Client, Self::Peer];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Peer => "peer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
