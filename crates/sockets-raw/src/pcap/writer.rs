//! Capture files, written: nanoseconds, little-endian.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use super::{LinkType, MAGIC_NANOSECONDS, MAX_PCAP_RECORD, VERSION};

/// Writes packets into a capture file that tcpdump and Wireshark read.
///
/// ```
/// use std::time::SystemTime;
/// use sockets_raw::{LinkType, PcapReader, PcapWriter};
///
/// let mut file = Vec::new();
/// let mut writer = PcapWriter::new(&mut file, LinkType::RawIp, 65_535)?;
/// writer.write(SystemTime::UNIX_EPOCH, 4, &[b"\x45\0\0\x04"])?;
/// writer.flush()?;
///
/// let mut reader = PcapReader::new(&file[..])?;
/// assert_eq!(reader.link_type(), LinkType::RawIp);
/// assert_eq!(reader.next_packet()?.unwrap().bytes, b"\x45\0\0\x04");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PcapWriter<W> {
    writer: W,
    snap_length: usize,
    packets: u64,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header. Of each packet at most `snap_length` bytes are kept, and never more
    /// than [`MAX_PCAP_RECORD`].
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn new(mut writer: W, link_type: LinkType, snap_length: u32) -> io::Result<Self> {
        let snap_length = snap_length.min(MAX_PCAP_RECORD);
        writer.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        for part in VERSION {
            writer.write_all(&part.to_le_bytes())?;
        }
        // Time zone and accuracy: always 0.
        writer.write_all(&[0; 8])?;
        writer.write_all(&snap_length.to_le_bytes())?;
        writer.write_all(&u32::from(link_type.number()).to_le_bytes())?;
        Ok(Self { writer, snap_length: snap_length as usize, packets: 0 })
    }

    /// Writes one packet of `length` bytes, of which the parts, one behind the other, are known.
    ///
    /// Times before 1970 and after 2106 are written as the nearest one that the format has.
    ///
    /// # Errors
    ///
    /// Those of the writer; the file then ends in the middle of the packet.
    pub fn write(
        &mut self,
        timestamp: SystemTime,
        length: usize,
        parts: &[&[u8]],
    ) -> io::Result<()> {
        let since = timestamp.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let (seconds, nanoseconds) = match u32::try_from(since.as_secs()) {
            Ok(seconds) => (seconds, since.subsec_nanos()),
            Err(_) => (u32::MAX, 999_999_999),
        };
        let mut left = parts.iter().map(|part| part.len()).sum::<usize>().min(self.snap_length);
        // No packet has 4 GiB; and a packet is no shorter than what is known of it.
        let length = u32::try_from(length).unwrap_or(u32::MAX).max(left as u32);
        for number in [seconds, nanoseconds, left as u32, length] {
            self.writer.write_all(&number.to_le_bytes())?;
        }
        for part in parts {
            let kept = &part[..left.min(part.len())];
            self.writer.write_all(kept)?;
            left -= kept.len();
        }
        self.packets += 1;
        Ok(())
    }

    /// How many packets were written.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Flushes the writer.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
