//! An IP packet, read.

use std::net::IpAddr;

use super::checksum::Sum;
use super::icmp::{self, EchoMessage, IcmpError};
use super::ip::{self, IpHeader};
use super::neighbour_discovery::{NeighbourAdvertisement, NeighbourSolicitation};
use super::tcp::{self, TcpSegment};
use super::udp::{self, UdpDatagram};
use super::{AddressPair, field, protocol};

/// An IP packet: what its headers say, and what it carries. Borrows the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: IpHeader,
    bytes: &'a [u8],
    /// What it carries.
    pub payload: Payload<'a>,
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// A TCP segment.
    Tcp(TcpSegment<'a>),
    /// A UDP datagram.
    Udp(UdpDatagram<'a>),
    /// An echo request of either ICMP.
    EchoRequest(EchoMessage<'a>),
    /// An echo reply of either ICMP.
    EchoReply(EchoMessage<'a>),
    /// An error of either ICMP.
    IcmpError(IcmpError),
    /// Who has this IPv6 address?
    NeighbourSolicitation(NeighbourSolicitation),
    /// I have this IPv6 address.
    NeighbourAdvertisement(NeighbourAdvertisement),
    /// A fragment that is not the first: it has no transport header.
    Fragment(&'a [u8]),
    /// A transport that is read here, but its header is cut off or makes no sense.
    Broken(&'a [u8]),
    /// A transport or a message that is not read here.
    Other(&'a [u8]),
}

/// Reads an IP packet from the network header on, without a copy. `None` where no IP header can be
/// read.
///
/// Bytes behind the end that the header names are not part of the packet (Ethernet pads short
/// ones); a packet cut off before that end is read as far as it goes. Checksums are not looked at:
/// see [`Packet::checksum_is_valid`].
pub fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = ip::read(bytes)?;
    let end = header.total_length.map_or(bytes.len(), |total| total.min(bytes.len()));
    let bytes = &bytes[..end];
    let carried = bytes.get(header.length..).unwrap_or_default();
    let read = match (header.addresses, header.protocol) {
        _ if header.fragment_offset > 0 => Some(Payload::Fragment(carried)),
        (_, protocol::TCP) => tcp::read(carried).map(Payload::Tcp),
        (_, protocol::UDP) => udp::read(carried).map(Payload::Udp),
        (AddressPair::V4 { .. }, protocol::ICMP) => icmp::read_v4(carried),
        (AddressPair::V6 { .. }, protocol::ICMPV6) => icmp::read_v6(carried),
        _ => Some(Payload::Other(carried)),
    };
    Some(Packet { header, bytes, payload: read.unwrap_or(Payload::Broken(carried)) })
}

impl<'a> Packet<'a> {
    /// Source and destination.
    pub const fn addresses(&self) -> AddressPair {
        self.header.addresses
    }

    /// Where it comes from.
    pub const fn source(&self) -> IpAddr {
        self.header.addresses.source()
    }

    /// Where it goes to.
    pub const fn destination(&self) -> IpAddr {
        self.header.addresses.destination()
    }

    /// The hop limit (IPv4: time to live) that is left.
    pub const fn hop_limit(&self) -> u8 {
        self.header.hop_limit
    }

    /// IANA's number of the transport; behind more than
    /// [`MAX_EXTENSION_HEADERS`](super::MAX_EXTENSION_HEADERS) of IPv6, that of the next header.
    pub const fn protocol(&self) -> u8 {
        self.header.protocol
    }

    /// Whether it is a part of a fragmented packet, the first one or a later one.
    pub const fn is_fragment(&self) -> bool {
        self.header.more_fragments || self.header.fragment_offset > 0
    }

    /// Whether its end is missing, by the length in its header.
    pub fn is_cut_off(&self) -> bool {
        self.header.total_length.is_some_and(|total| total > self.bytes.len())
    }

    /// The packet's bytes from the network header on, without padding.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the IP headers.
    pub fn carried(&self) -> &'a [u8] {
        self.bytes.get(self.header.length..).unwrap_or_default()
    }

    /// Source and destination port of TCP or UDP, even where the rest of the header is cut off.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let has_ports = matches!(self.header.protocol, protocol::TCP | protocol::UDP)
            && self.header.fragment_offset == 0;
        let carried = self.carried();
        has_ports.then_some((field::u16_at(carried, 0)?, field::u16_at(carried, 2)?))
    }

    /// Whether the checksums of the IPv4 header and of TCP, UDP, ICMP or `ICMPv6` are right; `None`
    /// where that cannot be told: fragments, packets cut off, UDP without a checksum, other
    /// transports, and packets that a routing header sends on, whose sum is over an address that is
    /// not their destination yet (RFC 8200 section 8.1).
    ///
    /// A wrong sum is no proof of damage: packets that never left this machine (loopback, veth), and
    /// those seen on their way out, often carry a partial sum that a network card would complete.
    pub fn checksum_is_valid(&self) -> Option<bool> {
        if self.is_fragment() || self.is_cut_off() || self.header.is_routed_on {
            return None;
        }
        let carried = self.carried();
        let pseudo_header = match self.header.protocol {
            protocol::UDP if !has_checksum(carried) => return None,
            protocol::ICMP => Sum::default(),
            number @ (protocol::TCP | protocol::UDP | protocol::ICMPV6) => {
                self.header.addresses.pseudo_header(number, carried.len())
            }
            _ => return None,
        };
        let header = match self.header.addresses {
            AddressPair::V4 { .. } => {
                Sum::default().bytes(self.bytes.get(..self.header.length)?).is_valid()
            }
            AddressPair::V6 { .. } => true,
        };
        Some(header && pseudo_header.bytes(carried).is_valid())
    }
}

/// Whether a UDP datagram has a checksum, and nothing behind it that the checksum leaves out.
fn has_checksum(datagram: &[u8]) -> bool {
    let length = field::u16_at(datagram, 4).map(usize::from);
    length == Some(datagram.len()) && field::u16_at(datagram, 6) != Some(0)
}
