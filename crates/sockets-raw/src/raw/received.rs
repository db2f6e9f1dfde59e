//! A packet from a raw socket: header and payload apart.

use std::net::{IpAddr, SocketAddr};

/// The shortest IPv4 header, in bytes (RFC 791 section 3.1).
const SHORTEST_HEADER: usize = 20;

/// A packet that a raw socket received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPacket<'a> {
    source: SocketAddr,
    header: &'a [u8],
    payload: &'a [u8],
    length: usize,
}

impl<'a> RawPacket<'a> {
    pub(super) fn new(bytes: &'a [u8], length: usize, source: SocketAddr) -> Self {
        // IPv6 comes without its header. An IPv4 packet that does not begin with a whole header
        // was cut by a small buffer: it is all payload then.
        let split = if source.is_ipv4() { split_ipv4(bytes) } else { None };
        let (header, payload) = split.unwrap_or((&[], bytes));
        Self { source, header, payload, length }
    }

    /// The sender.
    pub const fn source(&self) -> IpAddr {
        self.source.ip()
    }

    /// The index of the interface a link-local IPv6 sender is on; 0 for any other.
    pub const fn scope_id(&self) -> u32 {
        match self.source {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(address) => address.scope_id(),
        }
    }

    /// The IPv4 header with its options; empty for IPv6.
    pub const fn header(&self) -> &'a [u8] {
        self.header
    }

    /// What the IP packet carries.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The true length in bytes, of the header (IPv4) and the payload.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Whether the buffer was too small for it.
    pub const fn is_truncated(&self) -> bool {
        self.header.len() + self.payload.len() < self.length
    }
}

/// Parts an IPv4 packet into its header, with options, and its payload, without anything behind the
/// packet's end. `None` where it does not begin with a whole IPv4 header. Total.
pub fn split_ipv4(packet: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *packet.first()?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < SHORTEST_HEADER {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    // 0: cut in segments by the network card later; shorter than its header: nonsense, which the
    // kernel does not deliver. Both leave the bytes as they are.
    let end = if total < header { packet.len() } else { total.min(packet.len()) };
    packet.get(..end)?.split_at_checked(header)
}
