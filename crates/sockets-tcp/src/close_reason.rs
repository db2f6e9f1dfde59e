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
    /// The peer sent nothing at all for as long as the first byte may take.
    FirstByteTimeout,
    /// The TLS session broke: bytes came that are none of it, or the stream ended without the end
    /// that TLS has (`close_notify`), so that it may be cut short. The event before says which.
    TlsFailed,
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
            Self::FirstByteTimeout => "first-byte-timeout",
            Self::TlsFailed => "tls-failed",
            Self::SlowPeer => "slow-peer",
            Self::HandlerFailed => "handler-failed",
            Self::HandlerPanicked => "handler-panicked",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether the stream broke, from outside.
    pub(crate) const fn is_broken_stream(self) -> bool {
        matches!(self, Self::Reset | Self::TlsFailed)
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
            Self::IdleTimeout | Self::FirstByteTimeout => stats::CloseReason::Timeout,
            Self::SlowPeer => stats::CloseReason::SlowPeer,
            Self::HandlerFailed | Self::HandlerPanicked | Self::TlsFailed => {
                stats::CloseReason::Error
            }
            Self::Shutdown => stats::CloseReason::Shutdown,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
