//! What a socket of the machine speaks.

use std::fmt;
use std::str::FromStr;

use ports_core::Transport;
use serde::{Deserialize, Serialize};

/// The protocol of a socket of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Protocol {
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// An IP protocol of its own number, which stands in the place of the local port.
    Raw,
    /// A UNIX socket of the type `SOCK_STREAM`.
    UnixStream,
    /// A UNIX socket of the type `SOCK_DGRAM`.
    UnixDgram,
    /// A UNIX socket of the type `SOCK_SEQPACKET`.
    UnixSeqpacket,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 6] =
        [Self::Tcp, Self::Udp, Self::Raw, Self::UnixStream, Self::UnixDgram, Self::UnixSeqpacket];

    /// The name: `tcp`, `udp`, `raw`, `unix-stream`, `unix-dgram`, `unix-seqpacket`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Raw => "raw",
            Self::UnixStream => "unix-stream",
            Self::UnixDgram => "unix-dgram",
            Self::UnixSeqpacket => "unix-seqpacket",
        }
    }

    /// Whether its addresses are names in this machine, not addresses of a network.
    pub const fn is_unix(self) -> bool {
        matches!(self, Self::UnixStream | Self::UnixDgram | Self::UnixSeqpacket)
    }

    /// The transport with ports, where it is one.
    pub const fn transport(self) -> Option<Transport> {
        match self {
            Self::Tcp => Some(Transport::Tcp),
            Self::Udp => Some(Transport::Udp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name in any case.
impl FromStr for Protocol {
    type Err = ParseProtocolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|protocol| text.eq_ignore_ascii_case(protocol.name()))
            .ok_or_else(|| ParseProtocolError { text: text.to_owned() })
    }
}

/// A text that names no protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a protocol: expected tcp, udp, raw, unix-stream, unix-dgram or unix-seqpacket"
)]
pub struct ParseProtocolError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_are_what_serde_writes() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.name().to_uppercase().parse(), Ok(protocol));
            assert_eq!(serde_json::to_value(protocol).unwrap(), protocol.name());
        }
        assert!("icmp".parse::<Protocol>().is_err());
    }
}
