//! Packets made by etherparse, read back; damaged ones, refused.

use etherparse::{IcmpEchoHeader, Icmpv4Type, Icmpv6Type, PacketBuilder};
use proptest::prelude::*;

use super::*;

const V4: [[u8; 4]; 2] = [[10, 79, 0, 1], [10, 80, 0, 1]];

fn v6(last: u8) -> [u8; 16] {
    std::array::from_fn(|index| if index == 0 { 0xfd } else { last })
}

fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

/// One packet of each kind, in both families, with odd and even payloads.
fn packets() -> Vec<Vec<u8>> {
    let echo = IcmpEchoHeader { id: 7, seq: 9 };
    let v4 = || PacketBuilder::ipv4(V4[0], V4[1], 64);
    let v6 = || PacketBuilder::ipv6(v6(1), v6(2), 64);
    let mut packets = Vec::new();
    for payload in [&b""[..], b"odd", b"even"] {
        packets.extend([
            bytes(|out| v4().tcp(4, 80, 1, 2).syn().write_to_vec(out, payload).unwrap()),
            bytes(|out| v6().tcp(4, 80, 1, 2).syn().write_to_vec(out, payload).unwrap()),
            bytes(|out| v4().udp(4, 53).write_to_vec(out, payload).unwrap()),
            bytes(|out| v6().udp(4, 53).write_to_vec(out, payload).unwrap()),
            bytes(|out| {
                v4().icmpv4(Icmpv4Type::EchoRequest(echo)).write_to_vec(out, payload).unwrap();
            }),
            bytes(|out| {
                v6().icmpv6(Icmpv6Type::EchoRequest(echo)).write_to_vec(out, payload).unwrap();
            }),
        ]);
    }
    packets
}

#[test]
fn every_kind_of_packet_is_read() {
    for packet in packets() {
        let query = Query::parse(&packet).unwrap();
        let payload_of = |length: usize| &packet[packet.len() - length..];
        match query.question {
            Question::Tcp(segment) => {
                assert_eq!((segment.source_port, segment.destination_port), (4, 80));
                assert_eq!(segment.flags, Flags { syn: true, ..Flags::default() });
                assert_eq!((segment.sequence, segment.acknowledgment), (1, 0));
                assert!([0, 3, 4].contains(&segment.length));
            }
            Question::Udp { source_port, destination_port, payload } => {
                assert_eq!((source_port, destination_port), (4, 53));
                assert_eq!(payload, payload_of(payload.len()));
            }
            Question::Echo { identifier, sequence, payload } => {
                assert_eq!((identifier, sequence), (7, 9));
                assert_eq!(payload, payload_of(payload.len()));
            }
            Question::Statement => panic!("a question was made"),
        }
        assert_eq!(query.source.is_ipv4(), query.destination.is_ipv4());
    }
}

#[test]
fn a_flipped_bit_is_noticed() {
    for packet in packets() {
        let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
        for at in header..packet.len() {
            let mut damaged = packet.clone();
            damaged[at] ^= 0x10;
            let parsed = Query::parse(&damaged);
            // A length field may make it unreadable instead.
            assert!(parsed.is_err(), "byte {at} of {packet:02x?}");
        }
        for length in 0..packet.len() {
            assert!(Query::parse(&packet[..length]).is_err());
        }
    }
    let mut damaged = packets().remove(0);
    damaged[8] ^= 1;
    assert_eq!(Query::parse(&damaged), Err(Refusal::Checksum), "the TTL is in IPv4's own sum");
}

#[test]
fn udp_over_ipv4_may_have_no_checksum() {
    let without = |mut packet: Vec<u8>, header: usize| {
        packet[header + 6..header + 8].fill(0);
        Query::parse(&packet).is_ok()
    };
    let packets = packets();
    assert!(without(packets[2].clone(), 20));
    assert!(!without(packets[3].clone(), 40));
}

#[test]
fn fragments_and_other_protocols_are_not_read() {
    let fragment = bytes(|out| {
        let mut header = etherparse::Ipv4Header::new(8, 64, IpNumber::UDP, V4[0], V4[1]).unwrap();
        header.more_fragments = true;
        header.header_checksum = header.calc_header_checksum();
        header.write(out).unwrap();
        out.extend([0; 8]);
    });
    assert_eq!(Query::parse(&fragment), Err(Refusal::Unreadable));
    let sctp = bytes(|out| {
        let ip = PacketBuilder::ipv4(V4[0], V4[1], 64);
        ip.write_to_vec(out, IpNumber::SCTP, &[0; 12]).unwrap();
    });
    assert_eq!(Query::parse(&sctp), Err(Refusal::Unreadable));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = Query::parse(&bytes);
    }

    #[test]
    fn any_damage_is_survived(
        which in 0_usize..18,
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut packet = packets().swap_remove(which);
        let at = at.index(packet.len());
        packet[at] = byte;
        let _ = Query::parse(&packet);
    }
}
