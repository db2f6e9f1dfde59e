//! Why a connection ended.

use std::fmt;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer ended its stream, and this side answered with its own end.
    PeerClosed,
    /// This side ended it first: the handler returned, `disconnect`, `close`.
    Local,
    /// The peer, or the network, reset it.
    Reset,
    /// Nothing moved in either direction for as long as the idle timeout.
    IdleTimeout,
    /// The peer took its bytes more slowly than the slow policy allows.
    SlowPeer,
    /// The handler returned an error.
    HandlerFailed,
    /// The handler panicked.
    HandlerPanicked,
    /// The server shut down, or was dropped.
    Shutdown,
}

impl CloseReason {
    /// The name in lower case, words joined by `-`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer-closed",
            Self::Local => "local",
            Self::Reset => "reset",
            Self::IdleTimeout => "idle-timeout",
            Self::SlowPeer => "slow-peer",
            Self::HandlerFailed => "handler-failed",
            Self::HandlerPanicked => "handler-panicked",
            Self::Shutdown => "shutdown",
        }
    }

    pub(crate) const fn is_handlers_failure(self) -> bool {
        matches!(self, Self::HandlerFailed | Self::HandlerPanicked)
    }

    /// The reason as the statistics count it.
    pub(crate) const fn counted_as(self) -> stats::CloseReason {
        match self {
            Self::PeerClosed => stats::CloseReason::PeerClosed,
            Self::Local => stats::CloseReason::Local,
            Self::Reset => stats::CloseReason::Reset,
            Self::IdleTimeout => stats::CloseReason::Timeout,
            Self::SlowPeer => stats::CloseReason::SlowPeer,
            Self::HandlerFailed | Self::HandlerPanicked => stats::CloseReason::Error,
            Self::Shutdown => stats::CloseReason::Shutdown,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
