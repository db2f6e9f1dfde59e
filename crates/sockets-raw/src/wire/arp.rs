//! The Address Resolution Protocol over Ethernet (RFC 826), read and written.

use std::net::Ipv4Addr;

use super::ether_type;
use super::field::{array, ipv4_at, u16_at};

const ETHERNET: u16 = 1;
const LENGTH: usize = 28;

/// What an ARP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpPacket {
    /// Question or answer.
    pub operation: ArpOperation,
    /// The sender's link address.
    pub sender_link: [u8; 6],
    /// The sender's address.
    pub sender: Ipv4Addr,
    /// The link address of the one asked; zeros in a request.
    pub target_link: [u8; 6],
    /// The address asked for.
    pub target: Ipv4Addr,
}

/// What an ARP packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArpOperation {
    /// Who has the target address?
    Request,
    /// The sender has the sender's address.
    Reply,
    /// Something else (RARP, `InARP`), by its number.
    Other(u16),
}

impl ArpPacket {
    /// Reads an ARP packet about IPv4 over Ethernet, from the ARP header on; `None` for all others.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let about = (u16_at(bytes, 0)?, u16_at(bytes, 2)?, array(bytes, 4)?);
        if about != (ETHERNET, ether_type::IPV4, [6, 4]) {
            return None;
        }
        Some(Self {
            operation: match u16_at(bytes, 6)? {
                1 => ArpOperation::Request,
                2 => ArpOperation::Reply,
                other => ArpOperation::Other(other),
            },
            sender_link: array(bytes, 8)?,
            sender: ipv4_at(bytes, 14)?,
            target_link: array(bytes, 18)?,
            target: ipv4_at(bytes, 24)?,
        })
    }
}

/// Writes the question who has `target`, from the ARP header on: to be sent to the link's broadcast
/// address. `packet` is emptied first.
pub fn write_arp_request(
    packet: &mut Vec<u8>,
    sender_link: [u8; 6],
    sender: Ipv4Addr,
    target: Ipv4Addr,
) {
    packet.clear();
    packet.reserve(LENGTH);
    packet.extend(ETHERNET.to_be_bytes());
    packet.extend(ether_type::IPV4.to_be_bytes());
    packet.extend([6, 4, 0, 1]);
    packet.extend(sender_link);
    packet.extend(sender.octets());
    packet.extend([0; 6]);
    packet.extend(target.octets());
}
