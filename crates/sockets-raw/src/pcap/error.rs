//! Why a capture file cannot be read.

use std::io;

/// Why a capture file cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PcapError {
    /// Reading it failed.
    #[error("cannot read the capture file behind its packet {packets}")]
    Read {
        /// Whole packets before.
        packets: u64,
        /// The cause.
        source: io::Error,
    },
    /// It does not begin as a capture file does.
    #[error("this is not a pcap file: it begins with {magic:#010x}")]
    Magic {
        /// What it begins with.
        magic: u32,
    },
    /// It is of a version that is not read here.
    #[error("pcap version {major}.{minor} is not 2.4")]
    Version {
        /// The first number.
        major: u16,
        /// The second.
        minor: u16,
    },
    /// It ends in the middle.
    #[error("the capture file is cut off after {packets} packets")]
    CutOff {
        /// Whole packets before.
        packets: u64,
    },
    /// A record is longer than any packet: what follows cannot be found.
    #[error("record {place} of the capture file claims {length} bytes")]
    TooLong {
        /// Its place, from 1.
        place: u64,
        /// What it claims.
        length: u32,
    },
}
