//! Wire formats for the hot path: packets built from templates, and packets read without a copy.
//!
//! Everything begins at the network header, as a cooked packet socket and an IP-level raw socket
//! hand it over. Reading is total: any bytes give a value or `None`, never a panic.

mod address_pair;
mod arp;
mod checksum;
mod echo;
mod field;
mod icmp;
mod ip;
mod neighbour_discovery;
mod packet;
mod syn;
mod tcp;
mod udp;

pub use address_pair::AddressPair;
pub use arp::{ArpOperation, ArpPacket, write_arp_request};
#[cfg(target_os = "linux")]
pub(crate) use echo::write_echo_message;
pub use echo::write_echo_request;
pub use icmp::{EchoMessage, IcmpError, IcmpErrorKind, Quoted, QuotedTransport};
#[cfg(target_os = "linux")]
pub(crate) use icmp::{read_v4 as read_icmp, read_v6 as read_icmpv6};
pub use ip::MAX_EXTENSION_HEADERS;
pub use neighbour_discovery::{
    NeighbourAdvertisement, NeighbourSolicitation, link_address_of_multicast,
    solicited_node_address, write_neighbour_solicitation,
};
pub use packet::{Packet, Payload, parse};
pub use syn::{TcpSynTemplate, TcpSynTemplateBuilder};
pub use tcp::{TcpFlags, TcpSegment};
pub use udp::{UdpDatagram, write_udp};

/// IANA's numbers of the protocols that are built and read here.
pub mod protocol {
    /// Internet Control Message Protocol (RFC 792).
    pub const ICMP: u8 = 1;
    /// Transmission Control Protocol (RFC 9293).
    pub const TCP: u8 = 6;
    /// User Datagram Protocol (RFC 768).
    pub const UDP: u8 = 17;
    /// Internet Control Message Protocol for IPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
}

/// Ethernet's numbers of the network protocols (IANA "Ether Types").
pub mod ether_type {
    /// Internet Protocol version 4.
    pub const IPV4: u16 = 0x0800;
    /// Address Resolution Protocol.
    pub const ARP: u16 = 0x0806;
    /// Internet Protocol version 6.
    pub const IPV6: u16 = 0x86dd;
}

/// The time to live (hop limit) of what is built here unless told otherwise (RFC 1700's advice).
pub const DEFAULT_HOP_LIMIT: u8 = 64;

/// A payload that no IP packet can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a payload of {length} bytes does not fit a packet: {limit} at most")]
#[non_exhaustive]
pub struct PayloadTooLong {
    /// Bytes asked for.
    pub length: usize,
    /// Bytes that fit.
    pub limit: usize,
}

#[cfg(test)]
mod tests;
