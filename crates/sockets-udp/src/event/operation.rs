//! What a socket was doing when an error came.

use std::fmt;

use serde::Serialize;

/// What the socket was doing when an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Operation {
    /// Sending a datagram.
    Send,
    /// Receiving a datagram.
    Receive,
}

impl Operation {
    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
