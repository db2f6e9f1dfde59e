//! What is read of packets that are damaged, cut off, padded, in fragments, or of extension headers.

use super::*;

proptest! {
    #[test]
    fn a_changed_bit_is_seen(addresses in address_pair(), bit in 0usize..64 * 8) {
        let mut template = TcpSynTemplate::default();
        let mut packet = template.fill(addresses, 1, 2, 3).to_vec();
        let transport = packet.len() - 24;
        let bit = transport * 8 + bit % (24 * 8);
        packet[bit / 8] ^= 1 << (bit % 8);
        let read = parse(&packet).unwrap();
        prop_assert_ne!(read.checksum_is_valid(), Some(true));
    }

    /// Truth about totality is the fuzz target; this is its bounded sister.
    #[test]
    fn any_bytes_are_read_without_a_panic(
        first in prop::sample::select(&[0x45u8, 0x46, 0x4f, 0x40, 0x60, 0x00]),
        protocol in prop::sample::select(&[0u8, 1, 6, 17, 43, 44, 51, 58, 60, 255]),
        mut bytes in prop::collection::vec(any::<u8>(), 0..160),
    ) {
        for (at, value) in [(0, first), (6, protocol), (9, protocol), (4, 0), (40, protocol)] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        exercise(&bytes);
    }

    #[test]
    fn a_packet_cut_off_anywhere_is_read_as_far_as_it_goes(
        addresses in address_pair(), cut in 0usize..64,
    ) {
        let mut template = TcpSynTemplate::default();
        let packet = template.fill(addresses, 11, 22, 33);
        let ip_header = packet.len() - 24;
        let cut = cut.min(packet.len() - 1);
        exercise(&packet[..cut]);
        match parse(&packet[..cut]) {
            None => prop_assert!(cut < ip_header),
            Some(read) => {
                prop_assert!(read.is_cut_off());
                prop_assert_eq!(read.checksum_is_valid(), None);
                prop_assert_eq!(read.ports(), (cut >= ip_header + 4).then_some((11, 22)));
            }
        }
    }
}

fn exercise(bytes: &[u8]) {
    let _ = ArpPacket::parse(bytes);
    if let Some(packet) = parse(bytes) {
        assert!(packet.bytes().len() <= bytes.len());
        assert!(packet.carried().len() <= packet.bytes().len());
        let _ = (packet.checksum_is_valid(), packet.ports(), packet.is_fragment());
        let _ = format!("{packet:?}");
    }
}

#[test]
fn padding_is_not_part_of_the_packet() {
    let mut packet = Vec::new();
    write_udp(&mut packet, v4(), 1, 2, b"x").unwrap();
    let length = packet.len();
    packet.resize(46, 0xee);
    let read = parse(&packet).unwrap();
    assert_eq!(read.bytes().len(), length);
    assert!(matches!(read.payload, Payload::Udp(UdpDatagram { payload: b"x", .. })));
}

#[test]
fn only_the_first_fragment_has_ports() {
    let mut packet = Vec::new();
    write_udp(&mut packet, v4(), 1, 2, b"12345678").unwrap();
    packet[6..8].copy_from_slice(&0x2000u16.to_be_bytes());
    let first = parse(&packet).unwrap();
    assert!(first.is_fragment());
    assert_eq!(first.ports(), Some((1, 2)));
    assert_eq!(first.checksum_is_valid(), None);
    packet[6..8].copy_from_slice(&1u16.to_be_bytes());
    let later = parse(&packet).unwrap();
    assert_eq!((later.is_fragment(), later.ports()), (true, None));
    assert!(matches!(later.payload, Payload::Fragment(_)));
}

/// An IPv6 packet whose TCP header follows these extension headers (number, bytes after the first).
fn extended(headers: &[(u8, &[u8])]) -> Vec<u8> {
    let mut template = TcpSynTemplate::default();
    let packet = template.fill(v6(), 11, 22, 33).to_vec();
    let mut extensions = Vec::new();
    for (index, (_, rest)) in headers.iter().enumerate() {
        extensions.push(headers.get(index + 1).map_or(protocol::TCP, |(number, _)| *number));
        extensions.extend(*rest);
    }
    let mut extended = packet[..40].to_vec();
    extended.extend(&extensions);
    extended.extend(&packet[40..]);
    let payload = (extended.len() - 40) as u16;
    extended[4..6].copy_from_slice(&payload.to_be_bytes());
    extended[6] = headers.first().map_or(protocol::TCP, |(number, _)| *number);
    extended
}

#[test]
fn extension_headers_are_followed_so_far_and_no_farther() {
    let options: (u8, &[u8]) = (60, &[0; 7]);
    let authentication: (u8, &[u8]) = (51, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let fragment: (u8, &[u8]) = (44, &[0, 0, 1, 0, 0, 0, 9]);
    for headers in [&[options][..], &[options, authentication], &[options, fragment], &[options; 8]]
    {
        let bytes = extended(headers);
        let packet = parse(&bytes).unwrap();
        assert_eq!(packet.ports(), Some((11, 22)), "{headers:?}");
        assert_eq!(packet.protocol(), protocol::TCP);
    }
    let bytes = extended(&[options; MAX_EXTENSION_HEADERS + 1]);
    let packet = parse(&bytes).unwrap();
    assert_eq!((packet.protocol(), packet.ports()), (60, None));

    let later: (u8, &[u8]) = (44, &[0, 0, 8, 0, 0, 0, 9]);
    let bytes = extended(&[later]);
    let packet = parse(&bytes).unwrap();
    assert_eq!((packet.is_fragment(), packet.ports()), (true, None));
}

#[test]
fn a_checksum_over_another_destination_is_not_judged() {
    let routing = |left: u8| [0, 4, left, 0, 0, 0, 0];
    let valid = |headers: &[(u8, &[u8])]| parse(&extended(headers)).unwrap().checksum_is_valid();
    assert_eq!(valid(&[(43, &routing(0))]), Some(true));
    assert_eq!(valid(&[(43, &routing(1))]), None);
    assert_eq!(valid(&[(43, &routing(1)), (60, &[0; 7])]), None);
}
