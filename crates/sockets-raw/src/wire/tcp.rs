//! TCP segments (RFC 9293 section 3.1).

use std::fmt;

use super::field::{u16_at, u32_at};

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpSegment<'a> {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// Sequence number of the first byte (of the SYN, where there is one).
    pub sequence: u32,
    /// The next sequence number expected; meaningful with [`TcpFlags::ACK`].
    pub acknowledgement: u32,
    /// The control bits.
    pub flags: TcpFlags,
    /// The receive window, unscaled.
    pub window: u16,
    /// What follows the options.
    pub payload: &'a [u8],
}

const HEADER: usize = 20;

/// `None` where the header is cut off, or claims less than a header.
pub(super) fn read(bytes: &[u8]) -> Option<TcpSegment<'_>> {
    let length = usize::from(bytes.get(12)? >> 4) * 4;
    if length < HEADER || bytes.len() < HEADER {
        return None;
    }
    Some(TcpSegment {
        source_port: u16_at(bytes, 0)?,
        destination_port: u16_at(bytes, 2)?,
        sequence: u32_at(bytes, 4)?,
        acknowledgement: u32_at(bytes, 8)?,
        flags: TcpFlags(*bytes.get(13)?),
        window: u16_at(bytes, 14)?,
        // Options may be cut off where the ports are not.
        payload: bytes.get(length..).unwrap_or_default(),
    })
}

/// The control bits of a TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field is meant.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is meant.
    pub const URG: Self = Self(0x20);
    /// Congestion seen (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    const NAMES: [(Self, &'static str); 8] = [
        (Self::FIN, "fin"),
        (Self::SYN, "syn"),
        (Self::RST, "rst"),
        (Self::PSH, "psh"),
        (Self::ACK, "ack"),
        (Self::URG, "urg"),
        (Self::ECE, "ece"),
        (Self::CWR, "cwr"),
    ];

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// The names of the bits that are set, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter_map(move |(flag, name)| self.contains(flag).then_some(name))
    }
}

/// `syn,ack`; nothing where no bit is set.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpFlags({self})")
    }
}
