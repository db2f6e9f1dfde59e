//! Capture files in the pcap format (draft-ietf-opsawg-pcap), written and read.

mod error;
mod reader;
mod writer;

use std::time::SystemTime;

pub use error::PcapError;
pub use reader::PcapReader;
pub use writer::PcapWriter;

/// What the packets of a capture file begin with (the link types of <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header.
    RawIp,
    /// Twenty bytes that say what the kernel knows of a packet's link: see [`cooked_header`].
    LinuxCooked,
    /// Something else, by its number.
    Other(u16),
}

impl LinkType {
    const fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::RawIp => 101,
            Self::LinuxCooked => 276,
            Self::Other(number) => number,
        }
    }

    const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Ethernet,
            101 => Self::RawIp,
            276 => Self::LinuxCooked,
            other => Self::Other(other),
        }
    }
}

/// One packet of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PcapPacket<'a> {
    /// When it was seen.
    pub timestamp: SystemTime,
    /// How long it was, in bytes.
    pub length: u32,
    /// As much of it as was kept.
    pub bytes: &'a [u8],
}

/// The most bytes of one packet that a file may hold (libpcap's `MAXIMUM_SNAPLEN`): longer records
/// are damage.
pub const MAX_PCAP_RECORD: u32 = 262_144;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// Bytes of [`cooked_header`].
#[cfg(target_os = "linux")]
pub const COOKED_HEADER: usize = 20;

/// The header of a packet in a file of [`LinkType::LinuxCooked`] (`LINKTYPE_LINUX_SLL2`).
#[cfg(target_os = "linux")]
pub fn cooked_header(source: &crate::LinkSource) -> [u8; COOKED_HEADER] {
    use crate::PacketType;

    let mut header = [0; COOKED_HEADER];
    let address = source.address.address();
    header[0..2].copy_from_slice(&source.address.protocol.to_be_bytes());
    header[4..8].copy_from_slice(&source.address.interface.to_be_bytes());
    header[8..10].copy_from_slice(&source.hardware_type.to_be_bytes());
    header[10] = match source.packet_type {
        PacketType::Host => 0,
        PacketType::Broadcast => 1,
        PacketType::Multicast => 2,
        PacketType::OtherHost => 3,
        PacketType::Outgoing => 4,
        PacketType::Other(other) => other,
        _ => u8::MAX,
    };
    // A link address has at most the eight bytes there are.
    header[11] = address.len() as u8;
    for (place, byte) in header[12..].iter_mut().zip(address) {
        *place = *byte;
    }
    header
}

#[cfg(test)]
mod tests;
