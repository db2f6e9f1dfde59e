//! ICMP and `ICMPv6` echo requests, written.

use super::checksum::Sum;
use super::icmp::{ECHO_REQUEST, V6_ECHO_REQUEST};
use super::{AddressPair, DEFAULT_HOP_LIMIT, PayloadTooLong, ip, protocol};

pub(super) const HEADER: usize = 8;

/// Writes an IP packet with an echo request (RFC 792, RFC 4443 section 4.1) into `packet`, which is
/// emptied first and may be used again and again. The checksums are in place.
///
/// # Errors
///
/// [`PayloadTooLong`]; `packet` is then unchanged.
pub fn write_echo_request(
    packet: &mut Vec<u8>,
    addresses: AddressPair,
    identifier: u16,
    sequence: u16,
    payload: &[u8],
) -> Result<(), PayloadTooLong> {
    let number = match addresses {
        AddressPair::V4 { .. } => protocol::ICMP,
        AddressPair::V6 { .. } => protocol::ICMPV6,
    };
    let length = HEADER + payload.len();
    ip::write(packet, addresses, number, DEFAULT_HOP_LIMIT, length)
        .map_err(|error| PayloadTooLong { length: payload.len(), limit: error.limit - HEADER })?;
    let (kind, sum) = match addresses {
        AddressPair::V4 { .. } => (ECHO_REQUEST, Sum::default()),
        AddressPair::V6 { .. } => (V6_ECHO_REQUEST, addresses.pseudo_header(number, length)),
    };
    push_message(packet, kind, sum, [identifier, sequence], payload);
    Ok(())
}

/// Writes the message alone into `message`, as an ICMP socket takes it: over IPv6 the kernel sums
/// it, which alone knows the source.
#[cfg(target_os = "linux")]
pub(crate) fn write_echo_message(
    message: &mut Vec<u8>,
    is_ipv4: bool,
    identifier: u16,
    sequence: u16,
    payload: &[u8],
) {
    message.clear();
    let kind = if is_ipv4 { ECHO_REQUEST } else { V6_ECHO_REQUEST };
    push_message(message, kind, Sum::default(), [identifier, sequence], payload);
}

fn push_message(packet: &mut Vec<u8>, kind: u8, sum: Sum, numbers: [u16; 2], payload: &[u8]) {
    let start = packet.len();
    packet.extend([kind, 0, 0, 0]);
    packet.extend(numbers.into_iter().flat_map(u16::to_be_bytes));
    packet.extend(payload);
    let checksum = sum.bytes(&packet[start..]).checksum();
    packet[start + 2..start + 4].copy_from_slice(&checksum.to_be_bytes());
}
