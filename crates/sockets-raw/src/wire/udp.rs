//! UDP datagrams (RFC 768), read and written.

use super::field::u16_at;
use super::{AddressPair, DEFAULT_HOP_LIMIT, PayloadTooLong, ip, protocol};

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpDatagram<'a> {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// What it carries, as far as it was captured.
    pub payload: &'a [u8],
}

pub(super) const HEADER: usize = 8;

/// `None` where the header is cut off, or claims less than a header.
pub(super) fn read(bytes: &[u8]) -> Option<UdpDatagram<'_>> {
    let payload = bytes.get(HEADER..)?;
    let payload = match usize::from(u16_at(bytes, 4)?) {
        // A jumbogram (RFC 2675 section 4).
        0 => payload,
        length => payload.get(..length.checked_sub(HEADER)?).unwrap_or(payload),
    };
    Some(UdpDatagram {
        source_port: u16_at(bytes, 0)?,
        destination_port: u16_at(bytes, 2)?,
        payload,
    })
}

/// Writes an IP packet with a UDP datagram into `packet`, which is emptied first and may be used
/// again and again. Both checksums are in place; the packet may not be fragmented on its way.
///
/// # Errors
///
/// [`PayloadTooLong`]; `packet` is then unchanged.
pub fn write_udp(
    packet: &mut Vec<u8>,
    addresses: AddressPair,
    source_port: u16,
    destination_port: u16,
    payload: &[u8],
) -> Result<(), PayloadTooLong> {
    let length = HEADER + payload.len();
    ip::write(packet, addresses, protocol::UDP, DEFAULT_HOP_LIMIT, length)
        .map_err(|error| PayloadTooLong { length: payload.len(), limit: error.limit - HEADER })?;
    let start = packet.len();
    packet.extend(source_port.to_be_bytes());
    packet.extend(destination_port.to_be_bytes());
    packet.extend((length as u16).to_be_bytes());
    packet.extend([0; 2]);
    packet.extend(payload);
    let sum = addresses.pseudo_header(protocol::UDP, length).bytes(&packet[start..]);
    // 0 would mean "no checksum"; all ones sums the same.
    let checksum = match sum.checksum() {
        0 => u16::MAX,
        checksum => checksum,
    };
    packet[start + 6..start + 8].copy_from_slice(&checksum.to_be_bytes());
    Ok(())
}
