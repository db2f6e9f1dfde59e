//! What is written is read back; what others write is read; what nobody writes is an error.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(seconds: u64, nanoseconds: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

fn read_all(file: &[u8]) -> Result<Vec<(SystemTime, u32, Vec<u8>)>, PcapError> {
    let mut reader = PcapReader::new(file)?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet()? {
        packets.push((packet.timestamp, packet.length, packet.bytes.to_vec()));
    }
    Ok(packets)
}

#[test]
fn a_file_of_another_program_is_read() {
    // Big-endian, microseconds, Ethernet: the other of everything that is written here.
    let mut file = vec![0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([0, 0, 0xff, 0xff, 0, 0, 0, 1]);
    file.extend([0, 0, 0, 5, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 60, 0xaa, 0xbb]);
    let reader = PcapReader::new(&file[..]).unwrap();
    assert_eq!((reader.link_type(), reader.snap_length()), (LinkType::Ethernet, 0xffff));
    assert_eq!(read_all(&file).unwrap(), [(at(5, 7_000), 60, vec![0xaa, 0xbb])]);
}

#[test]
fn damage_is_named() {
    let mut file = Vec::new();
    let mut writer = PcapWriter::new(&mut file, LinkType::RawIp, 100).unwrap();
    writer.write(at(1, 2), 3, &[b"abc"]).unwrap();
    writer.write(at(1, 2), 3, &[b"abc"]).unwrap();
    assert_eq!(writer.packets(), 2);
    for cut in [file.len() - 1, file.len() - 4, file.len() - 18] {
        let error = read_all(&file[..cut]).unwrap_err();
        assert_eq!(error.to_string(), "the capture file is cut off after 1 packets");
    }
    for cut in [0, 10] {
        assert!(matches!(read_all(&file[..cut]), Err(PcapError::CutOff { packets: 0 })));
    }
    assert!(matches!(read_all(b"not a capture file at all"), Err(PcapError::Magic { .. })));
    file[4] = 3;
    assert!(matches!(read_all(&file), Err(PcapError::Version { major: 3, minor: 4 })));
    file[4] = 2;
    file[32..36].copy_from_slice(&(MAX_PCAP_RECORD + 1).to_le_bytes());
    assert!(matches!(read_all(&file), Err(PcapError::TooLong { place: 1, length: 262_145 })));
}

#[test]
fn times_that_the_format_lacks_are_the_nearest() {
    let mut file = Vec::new();
    let mut writer = PcapWriter::new(&mut file, LinkType::RawIp, 100).unwrap();
    writer.write(SystemTime::UNIX_EPOCH - Duration::from_secs(1), 0, &[]).unwrap();
    writer.write(at(1 << 33, 0), 0, &[]).unwrap();
    let times: Vec<_> = read_all(&file).unwrap().into_iter().map(|packet| packet.0).collect();
    assert_eq!(times, [at(0, 0), at(u64::from(u32::MAX), 999_999_999)]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_cooked_header_says_what_the_kernel_said() {
    use crate::{LinkAddress, LinkSource, PacketType};
    let source = LinkSource {
        address: LinkAddress::new(3, 0x86dd, &[2, 0, 0, 0, 0, 9]).unwrap(),
        packet_type: PacketType::Outgoing,
        hardware_type: 772,
    };
    let expected = [0x86, 0xdd, 0, 0, 0, 0, 0, 3, 3, 4, 4, 6, 2, 0, 0, 0, 0, 9, 0, 0];
    assert_eq!(cooked_header(&source), expected);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        snap_length in 0u32..64,
        packets in prop::collection::vec(
            (any::<u32>(), 0u32..1_000_000_000, prop::collection::vec(any::<u8>(), 0..64), 0usize..9),
            0..10,
        ),
    ) {
        let mut file = Vec::new();
        let mut writer = PcapWriter::new(&mut file, LinkType::LinuxCooked, snap_length).unwrap();
        let mut expected = Vec::new();
        for (seconds, nanoseconds, bytes, more) in packets {
            let timestamp = at(u64::from(seconds), nanoseconds);
            let length = bytes.len() + more;
            let (first, second) = bytes.split_at(bytes.len() / 3);
            writer.write(timestamp, length, &[first, second]).unwrap();
            let kept = bytes[..bytes.len().min(snap_length as usize)].to_vec();
            expected.push((timestamp, length as u32, kept));
        }
        prop_assert_eq!(read_all(&file).unwrap(), expected);
    }

    #[test]
    fn any_bytes_are_packets_or_an_error(
        magic in prop::sample::select(vec![MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, 0]),
        swapped: bool,
        bytes in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        let magic = if swapped { magic.swap_bytes() } else { magic };
        let mut file = magic.to_le_bytes().to_vec();
        file.extend(if swapped { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
        file.extend(bytes);
        let _ = read_all(&file);
    }
}
