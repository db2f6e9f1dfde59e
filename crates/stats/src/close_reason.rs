//! Why a socket was closed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a socket was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer ended the connection in order.
    PeerClosed,
    /// This side ended it on purpose.
    Local,
    /// The peer reset it.
    Reset,
    /// It was idle, or an operation took longer than it may.
    Timeout,
    /// The peer did not read fast enough.
    SlowPeer,
    /// Reading, writing or the handler failed.
    Error,
    /// The server or the program shut down.
    Shutdown,
    /// Its recorder was dropped, and nobody said why.
    Dropped,
}

impl CloseReason {
    /// All reasons.
    pub const ALL: &'static [Self] = &[
        Self::PeerClosed,
        Self::Local,
        Self::Reset,
        Self::Timeout,
        Self::SlowPeer,
        Self::Error,
        Self::Shutdown,
        Self::Dropped,
    ];

    /// The name in lower case, words joined by hyphens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer-closed",
            Self::Local => "local",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::SlowPeer => "slow-peer",
            Self::Error => "error",
            Self::Shutdown => "shutdown",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_uses_the_names() {
        for &reason in CloseReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
