//! Capture files, read: either byte order, microseconds or nanoseconds. Total: any bytes give packets
//! or an error, and never more memory than one packet takes.

use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use super::{
    FILE_HEADER, LinkType, MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, MAX_PCAP_RECORD, PcapError,
    PcapPacket, RECORD_HEADER, VERSION,
};

/// Reads packets out of a capture file, one by one.
#[derive(Debug)]
pub struct PcapReader<R> {
    reader: R,
    is_big_endian: bool,
    nanoseconds_per_tick: u32,
    link_type: LinkType,
    snap_length: u32,
    packets: u64,
    buffer: Vec<u8>,
}

impl<R: Read> PcapReader<R> {
    /// Reads the file's header.
    ///
    /// # Errors
    ///
    /// [`PcapError`]; a file shorter than its header is [`PcapError::CutOff`].
    pub fn new(mut reader: R) -> Result<Self, PcapError> {
        let mut header = [0; FILE_HEADER];
        if !fill(&mut reader, &mut header).map_err(|error| cut_off(error, 0))? {
            return Err(PcapError::CutOff { packets: 0 });
        }
        let magic = u32_at(&header, 0, false);
        let (is_big_endian, nanoseconds_per_tick) = match (magic, magic.swap_bytes()) {
            (MAGIC_MICROSECONDS, _) => (false, 1_000),
            (MAGIC_NANOSECONDS, _) => (false, 1),
            (_, MAGIC_MICROSECONDS) => (true, 1_000),
            (_, MAGIC_NANOSECONDS) => (true, 1),
            _ => return Err(PcapError::Magic { magic }),
        };
        let version = u32_at(&header, 4, is_big_endian);
        let [major, minor] = if is_big_endian {
            [(version >> 16) as u16, version as u16]
        } else {
            [version as u16, (version >> 16) as u16]
        };
        if [major, minor] != VERSION {
            return Err(PcapError::Version { major, minor });
        }
        Ok(Self {
            reader,
            is_big_endian,
            nanoseconds_per_tick,
            // The upper bits say whether frames have a checksum behind them.
            link_type: LinkType::from_number(u32_at(&header, 20, is_big_endian) as u16),
            snap_length: u32_at(&header, 16, is_big_endian),
            packets: 0,
            buffer: Vec::new(),
        })
    }

    /// What its packets begin with.
    pub const fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// How many bytes of each packet were to be kept.
    pub const fn snap_length(&self) -> u32 {
        self.snap_length
    }

    /// The next packet; `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// [`PcapError`]; there is nothing to be read behind it.
    pub fn next_packet(&mut self) -> Result<Option<PcapPacket<'_>>, PcapError> {
        let packets = self.packets;
        let mut header = [0; RECORD_HEADER];
        match fill(&mut self.reader, &mut header) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(cut_off(error, packets)),
        }
        let number = |at| u32_at(&header, at, self.is_big_endian);
        let (kept, length) = (number(8), number(12));
        if kept > MAX_PCAP_RECORD {
            return Err(PcapError::TooLong { place: packets + 1, length: kept });
        }
        let ticks = u64::from(number(4)) * u64::from(self.nanoseconds_per_tick);
        let since = Duration::from_secs(u64::from(number(0))) + Duration::from_nanos(ticks);
        self.buffer.resize(kept as usize, 0);
        self.reader.read_exact(&mut self.buffer).map_err(|error| cut_off(error, packets))?;
        self.packets += 1;
        let timestamp = SystemTime::UNIX_EPOCH + since;
        Ok(Some(PcapPacket { timestamp, length, bytes: &self.buffer }))
    }
}

/// Fills `buffer`; `false` where there is nothing any more.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn cut_off(error: io::Error, packets: u64) -> PcapError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => PcapError::CutOff { packets },
        _ => PcapError::Read { packets, source: error },
    }
}

/// A number in a header; `at + 4` lies inside: all offsets are ours.
fn u32_at<const N: usize>(header: &[u8; N], at: usize, is_big_endian: bool) -> u32 {
    let bytes = header.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}
