//! IPv4 and IPv6 headers, read and written.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum::Sum;
use super::field::{ipv4_at, ipv6_at, u16_at};
use super::{AddressPair, PayloadTooLong};

/// How many IPv6 extension headers are followed; behind more of them a packet's transport counts as
/// unknown. RFC 8200 section 4.1 names seven that a sane packet may carry.
pub const MAX_EXTENSION_HEADERS: usize = 8;

pub(super) const IPV4_HEADER: usize = 20;
pub(super) const IPV6_HEADER: usize = 40;
const DONT_FRAGMENT: u16 = 0x4000;
/// The routing header's number.
const ROUTING: u8 = 43;

/// What an IP header says, and where what it carries begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpHeader {
    pub(super) addresses: AddressPair,
    pub(super) hop_limit: u8,
    /// The transport's number; behind too many extension headers, or in a later fragment, that of
    /// the header that stands next.
    pub(super) protocol: u8,
    /// Bytes before the transport.
    pub(super) length: usize,
    /// Bytes of the whole packet, as the header has it; `None`: it does not say (a jumbogram, or a
    /// packet that the network card is to cut).
    pub(super) total_length: Option<usize>,
    /// Where this part of a fragmented packet begins, in bytes.
    pub(super) fragment_offset: u16,
    pub(super) more_fragments: bool,
    /// Whether a routing header has it that the destination is only the next stop (RFC 8200 section
    /// 4.4).
    pub(super) is_routed_on: bool,
}

pub(super) fn read(bytes: &[u8]) -> Option<IpHeader> {
    match bytes.first()? >> 4 {
        4 => read_ipv4(bytes),
        6 => read_ipv6(bytes),
        _ => None,
    }
}

/// RFC 791 section 3.1.
fn read_ipv4(bytes: &[u8]) -> Option<IpHeader> {
    let length = usize::from(bytes.first()? & 0x0f) * 4;
    if length < IPV4_HEADER || bytes.len() < length {
        return None;
    }
    let total_length = match usize::from(u16_at(bytes, 2)?) {
        0 => None,
        short if short < length => return None,
        total => Some(total),
    };
    let fragment = u16_at(bytes, 6)?;
    Some(IpHeader {
        addresses: AddressPair::V4 {
            source: ipv4_at(bytes, 12)?,
            destination: ipv4_at(bytes, 16)?,
        },
        hop_limit: *bytes.get(8)?,
        protocol: *bytes.get(9)?,
        length,
        total_length,
        fragment_offset: (fragment & 0x1fff) << 3,
        more_fragments: fragment & 0x2000 != 0,
        is_routed_on: false,
    })
}

/// RFC 8200 sections 3 and 4.
fn read_ipv6(bytes: &[u8]) -> Option<IpHeader> {
    let mut header = IpHeader {
        addresses: AddressPair::V6 { source: ipv6_at(bytes, 8)?, destination: ipv6_at(bytes, 24)? },
        hop_limit: *bytes.get(7)?,
        protocol: *bytes.get(6)?,
        length: IPV6_HEADER,
        total_length: match usize::from(u16_at(bytes, 4)?) {
            0 => None,
            payload => Some(IPV6_HEADER + payload),
        },
        fragment_offset: 0,
        more_fragments: false,
        is_routed_on: false,
    };
    for _ in 0..MAX_EXTENSION_HEADERS {
        let Some(extension) = ExtensionHeader::of(header.protocol) else { break };
        // Cut off in the middle of an extension header: the transport is not there.
        let Some([next, units]) = super::field::array(bytes, header.length) else { break };
        if matches!(extension, ExtensionHeader::Fragment) {
            let Some(fragment) = u16_at(bytes, header.length + 2) else { break };
            header.fragment_offset = fragment & 0xfff8;
            header.more_fragments = fragment & 1 != 0;
        }
        if header.protocol == ROUTING {
            // Where it says how many stops are left cannot be read, neither can the transport.
            header.is_routed_on |= bytes.get(header.length + 3).is_some_and(|left| *left > 0);
        }
        header.protocol = next;
        header.length += extension.length(units);
        if header.fragment_offset > 0 {
            break;
        }
    }
    Some(header)
}

/// The headers between IPv6's own and the transport's.
#[derive(Clone, Copy, Debug)]
enum ExtensionHeader {
    /// Hop-by-hop and destination options, routing, mobility, HIP, shim6.
    Ordinary,
    /// RFC 8200 section 4.5.
    Fragment,
    /// RFC 4302 section 2.2: counted in other units.
    Authentication,
}

impl ExtensionHeader {
    const fn of(next_header: u8) -> Option<Self> {
        match next_header {
            0 | ROUTING | 60 | 135 | 139 | 140 => Some(Self::Ordinary),
            44 => Some(Self::Fragment),
            51 => Some(Self::Authentication),
            _ => None,
        }
    }

    /// Bytes, from the header's own length field.
    const fn length(self, units: u8) -> usize {
        match self {
            Self::Ordinary => (units as usize + 1) * 8,
            Self::Fragment => 8,
            Self::Authentication => (units as usize + 2) * 4,
        }
    }
}

/// Puts an IP header into `packet`, which is emptied first. The header checksum is in place.
pub(super) fn write(
    packet: &mut Vec<u8>,
    addresses: AddressPair,
    protocol: u8,
    hop_limit: u8,
    payload: usize,
) -> Result<(), PayloadTooLong> {
    let header = match addresses {
        AddressPair::V4 { .. } => IPV4_HEADER,
        // Its length field does not count the header.
        AddressPair::V6 { .. } => 0,
    };
    let limit = usize::from(u16::MAX) - header;
    let length =
        u16::try_from(header + payload).map_err(|_| PayloadTooLong { length: payload, limit })?;
    packet.clear();
    match addresses {
        AddressPair::V4 { source, destination } => {
            packet.extend(ipv4(source, destination, protocol, hop_limit, length));
        }
        AddressPair::V6 { source, destination } => {
            packet.extend(ipv6(source, destination, protocol, hop_limit, length));
        }
    }
    Ok(())
}

/// No identification: a packet that may not be fragmented needs none (RFC 6864 section 4.1).
pub(super) fn ipv4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    hop_limit: u8,
    total_length: u16,
) -> [u8; IPV4_HEADER] {
    let mut header = [0; IPV4_HEADER];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&total_length.to_be_bytes());
    header[6..8].copy_from_slice(&DONT_FRAGMENT.to_be_bytes());
    header[8] = hop_limit;
    header[9] = protocol;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    let checksum = Sum::default().bytes(&header).checksum();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

pub(super) fn ipv6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: u8,
    hop_limit: u8,
    payload: u16,
) -> [u8; IPV6_HEADER] {
    let mut header = [0; IPV6_HEADER];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&payload.to_be_bytes());
    header[6] = protocol;
    header[7] = hop_limit;
    header[8..24].copy_from_slice(&source.octets());
    header[24..40].copy_from_slice(&destination.octets());
    header
}
