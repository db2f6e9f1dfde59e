//! The transport protocols that have ports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A transport protocol with 16-bit ports. The port spaces are independent: TCP 80 and UDP 80 are
/// two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Transmission Control Protocol (RFC 9293).
    Tcp,
    /// User Datagram Protocol (RFC 768).
    Udp,
    /// Stream Control Transmission Protocol (RFC 9260).
    Sctp,
    /// Datagram Congestion Control Protocol (RFC 4340).
    Dccp,
}

impl Transport {
    /// All transports, in IANA's order.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Sctp, Self::Dccp];

    /// The name in lower case, as IANA's registry writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name in any case.
impl FromStr for Transport {
    type Err = ParseTransportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|transport| text.eq_ignore_ascii_case(transport.name()))
            .ok_or_else(|| ParseTransportError { text: text.to_owned() })
    }
}

/// A text that names no transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a transport: expected tcp, udp, sctp or dccp")]
pub struct ParseTransportError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_in_any_case() {
        for transport in Transport::ALL {
            assert_eq!(transport.to_string().parse(), Ok(transport));
            assert_eq!(transport.name().to_uppercase().parse(), Ok(transport));
        }
        assert!("icmp".parse::<Transport>().is_err());
    }
}
