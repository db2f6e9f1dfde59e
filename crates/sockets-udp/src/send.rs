//! What is sent, and what is checked before the kernel is asked.

mod error;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use sockets_sys::SendControl;

pub use self::error::SendError;

/// The longest payload of a datagram over IPv4: 65,535 less 20 bytes of IP header (RFC 791) and 8
/// of UDP header (RFC 768).
pub const MAX_PAYLOAD_V4: usize = 65_507;
/// The longest payload over IPv6 without jumbograms: its length field does not count the IP
/// header (RFC 8200 section 3), so only the 8 bytes of UDP header go off.
pub const MAX_PAYLOAD_V6: usize = 65_527;

/// A datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outgoing<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) target: SocketAddr,
    pub(crate) from: Option<IpAddr>,
    interface: u32,
    broadcast: bool,
}

impl<'a> Outgoing<'a> {
    /// These bytes to that address, by the way that the routes choose.
    pub const fn new(data: &'a [u8], target: SocketAddr) -> Self {
        Self { data, target, from: None, interface: 0, broadcast: false }
    }

    /// The bytes.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Where they go.
    pub const fn target(&self) -> SocketAddr {
        self.target
    }

    /// From this address, which must be one of this machine's; see
    /// [`send_from`](crate::UdpSocket::send_from).
    #[must_use]
    pub const fn source(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    /// By the interface with this index; 0 where the routes choose.
    #[must_use]
    pub const fn interface(mut self, index: u32) -> Self {
        self.interface = index;
        self
    }

    /// To an address that is known to be a broadcast address.
    pub(crate) const fn broadcast(mut self) -> Self {
        self.broadcast = true;
        self
    }

    pub(crate) fn is_broadcast(&self) -> bool {
        self.broadcast || self.target.ip() == Ipv4Addr::BROADCAST
    }

    pub(crate) const fn control(&self) -> SendControl {
        SendControl { source: self.from, interface: self.interface, segment_size: None }
    }
}

/// What became of the datagrams of one call: each was sent, or failed.
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "it may hold errors"]
pub struct SendReport {
    /// How many the kernel took.
    pub sent: usize,
    /// The others, in the order they were given.
    pub failed: Vec<FailedSend>,
}

impl SendReport {
    /// Whether all were sent.
    pub const fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }
}

/// A datagram of several that was not sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedSend {
    /// Its place among those given, from 0.
    pub index: usize,
    /// Why.
    pub error: SendError,
}

/// Which targets a socket can reach at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
    DualStack,
}

impl Family {
    /// The target as the kernel must see it, or the error that it would only name by number.
    pub(crate) fn check_target(
        self,
        size: usize,
        target: SocketAddr,
        local: SocketAddr,
    ) -> Result<SocketAddr, SendError> {
        if target.port() == 0 {
            return Err(SendError::PortZero { target });
        }
        let ip = target.ip().to_canonical();
        let limit = if ip.is_ipv4() { MAX_PAYLOAD_V4 } else { MAX_PAYLOAD_V6 };
        if size > limit {
            return Err(SendError::MessageTooLong { target, size, limit });
        }
        match (self, ip) {
            (Self::V4, IpAddr::V4(ip)) => Ok(SocketAddr::from((ip, target.port()))),
            (Self::DualStack, IpAddr::V4(ip)) => {
                Ok(SocketAddrV6::new(ip.to_ipv6_mapped(), target.port(), 0, 0).into())
            }
            (Self::V6 | Self::DualStack, IpAddr::V6(_)) => Ok(target),
            (Self::V4, IpAddr::V6(_)) | (Self::V6, IpAddr::V4(_)) => {
                Err(SendError::FamilyMismatch { target, local })
            }
        }
    }
}

#[cfg(test)]
mod tests;
