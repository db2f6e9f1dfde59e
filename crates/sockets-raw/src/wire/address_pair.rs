//! The two addresses of a packet, of one IP version.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::Sum;

/// Source and destination of a packet: both IPv4, or both IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressPair {
    /// IPv4.
    V4 {
        /// Where from.
        source: Ipv4Addr,
        /// Where to.
        destination: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// Where from.
        source: Ipv6Addr,
        /// Where to.
        destination: Ipv6Addr,
    },
}

impl AddressPair {
    /// The pair, or `None` where the addresses are of two versions.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            _ => None,
        }
    }

    /// Where the packet comes from.
    pub const fn source(self) -> IpAddr {
        match self {
            Self::V4 { source, .. } => IpAddr::V4(source),
            Self::V6 { source, .. } => IpAddr::V6(source),
        }
    }

    /// Where the packet goes to.
    pub const fn destination(self) -> IpAddr {
        match self {
            Self::V4 { destination, .. } => IpAddr::V4(destination),
            Self::V6 { destination, .. } => IpAddr::V6(destination),
        }
    }

    /// The way back.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::V4 { source, destination } => {
                Self::V4 { source: destination, destination: source }
            }
            Self::V6 { source, destination } => {
                Self::V6 { source: destination, destination: source }
            }
        }
    }

    /// The sum over both addresses: the part of the pseudo-header that changes with them.
    pub(super) fn sum(self) -> Sum {
        match self {
            Self::V4 { source, destination } => {
                Sum::default().bytes(&source.octets()).bytes(&destination.octets())
            }
            Self::V6 { source, destination } => {
                Sum::default().bytes(&source.octets()).bytes(&destination.octets())
            }
        }
    }

    /// The sum over the pseudo-header of a transport (RFC 9293 section 3.1, RFC 8200 section 8.1):
    /// the two versions order it differently, but a sum knows no order.
    pub(super) fn pseudo_header(self, protocol: u8, length: usize) -> Sum {
        self.sum().number(u64::from(protocol)).number(length as u64)
    }
}

/// `192.0.2.1 -> 192.0.2.2`.
impl fmt::Display for AddressPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.source(), self.destination())
    }
}
