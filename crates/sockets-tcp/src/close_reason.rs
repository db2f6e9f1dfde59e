//! Why a connection ended.

use std::fmt;

#[cfg(feature = "tls")]
use crate::tls::TlsAlert;

/// Why a connection ended. Serialised, it is its [`name`](Self::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// The peer ended the TLS session with an alert: it refuses this end's certificate, or misses
    /// it, or what came. In TLS 1.3 a client learns only so, after its handshake.
    #[cfg(feature = "tls")]
    TlsAlert(TlsAlert),
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
            #[cfg(feature = "tls")]
            Self::TlsAlert(_) => "tls-alert",
            Self::SlowPeer => "slow-peer",
            Self::HandlerFailed => "handler-failed",
            Self::HandlerPanicked => "handler-panicked",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether the stream broke, from outside.
    pub(crate) const fn is_broken_stream(self) -> bool {
        match self {
            Self::Reset | Self::TlsFailed => true,
            #[cfg(feature = "tls")]
            Self::TlsAlert(_) => true,
            _ => false,
        }
    }

    /// Whether connecting again would end in the same way, before somebody has changed something.
    pub(crate) const fn is_permanent(self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::TlsAlert(alert) => alert.is_permanent(),
            _ => false,
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
            Self::IdleTimeout | Self::FirstByteTimeout => stats::CloseReason::Timeout,
            Self::SlowPeer => stats::CloseReason::SlowPeer,
            Self::HandlerFailed | Self::HandlerPanicked | Self::TlsFailed => {
                stats::CloseReason::Error
            }
            #[cfg(feature = "tls")]
            Self::TlsAlert(_) => stats::CloseReason::Error,
            Self::Shutdown => stats::CloseReason::Shutdown,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for CloseReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
