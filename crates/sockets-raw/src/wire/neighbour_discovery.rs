//! IPv6 neighbour discovery (RFC 4861 sections 4.3 and 4.4), read and written.

use std::net::Ipv6Addr;

use super::field::{array, ipv6_at};
use super::{AddressPair, ip, protocol};

pub(super) const SOLICITATION: u8 = 135;
pub(super) const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
/// Solicitations that came through a router are not believed (RFC 4861 section 7.1.1).
const HOP_LIMIT: u8 = 255;
/// Type, code, checksum, reserved, target, and one option.
const SOLICITATION_LENGTH: u16 = 32;
const OPTIONS: usize = 24;

/// Who has this address?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourSolicitation {
    /// The address asked for.
    pub target: Ipv6Addr,
    /// The asker's link address, where it says so.
    pub link_address: Option<[u8; 6]>,
}

/// I have this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourAdvertisement {
    /// The address.
    pub target: Ipv6Addr,
    /// Its link address, where it says so.
    pub link_address: Option<[u8; 6]>,
    /// The sender is a router.
    pub is_router: bool,
    /// It answers a solicitation.
    pub is_solicited: bool,
    /// It replaces what was known.
    pub overrides: bool,
}

/// From the `ICMPv6` header on, of a message of the right type.
pub(super) fn read_solicitation(message: &[u8]) -> Option<NeighbourSolicitation> {
    Some(NeighbourSolicitation {
        target: ipv6_at(message, 8)?,
        link_address: link_address(message.get(OPTIONS..)?, SOURCE_LINK_ADDRESS),
    })
}

/// From the `ICMPv6` header on, of a message of the right type.
pub(super) fn read_advertisement(message: &[u8]) -> Option<NeighbourAdvertisement> {
    let flags = *message.get(4)?;
    Some(NeighbourAdvertisement {
        target: ipv6_at(message, 8)?,
        link_address: link_address(message.get(OPTIONS..)?, TARGET_LINK_ADDRESS),
        is_router: flags & 0x80 != 0,
        is_solicited: flags & 0x40 != 0,
        overrides: flags & 0x20 != 0,
    })
}

/// The first Ethernet address among the options (RFC 4861 section 4.6).
fn link_address(mut options: &[u8], kind: u8) -> Option<[u8; 6]> {
    while let [found, units, ..] = *options {
        let length = usize::from(units) * 8;
        if length == 0 {
            return None;
        }
        if found == kind && length == 8 {
            return array(options, 2);
        }
        options = options.get(length..)?;
    }
    None
}

/// Writes the question who has `target`, from the IPv6 header on. It goes to
/// [`solicited_node_address`] of the target, and there to [`link_address_of_multicast`].
/// `packet` is emptied first.
pub fn write_neighbour_solicitation(
    packet: &mut Vec<u8>,
    sender_link: [u8; 6],
    sender: Ipv6Addr,
    target: Ipv6Addr,
) {
    let destination = solicited_node_address(target);
    let header = ip::ipv6(sender, destination, protocol::ICMPV6, HOP_LIMIT, SOLICITATION_LENGTH);
    packet.clear();
    packet.extend(header);
    let start = packet.len();
    packet.extend([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend(target.octets());
    packet.extend([SOURCE_LINK_ADDRESS, 1]);
    packet.extend(sender_link);
    let checksum = AddressPair::V6 { source: sender, destination }
        .pseudo_header(protocol::ICMPV6, usize::from(SOLICITATION_LENGTH))
        .bytes(&packet[start..])
        .checksum();
    packet[start + 2..start + 4].copy_from_slice(&checksum.to_be_bytes());
}

/// The multicast address that the holder of `target` listens to (RFC 4291 section 2.7.1).
pub const fn solicited_node_address(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a as u16, (b as u16) << 8 | c as u16)
}

/// The Ethernet address that an IPv6 multicast group maps to (RFC 2464 section 7).
pub const fn link_address_of_multicast(group: Ipv6Addr) -> [u8; 6] {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}
