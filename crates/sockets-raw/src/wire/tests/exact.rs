//! Packets are, to the byte, what another implementation makes and reads.

use super::*;

proptest! {
    #[test]
    fn syn_packets_are_exact(
        probes in prop::collection::vec((address_pair(), any::<(u16, u16, u32)>()), 1..8),
        (hop_limit, window, mss) in any::<(u8, u16, u16)>(),
    ) {
        let mut template = TcpSynTemplate::builder()
            .hop_limit(hop_limit)
            .window(window)
            .maximum_segment_size(mss)
            .build();
        // One template for all of them: nothing of the probe before may stay.
        for (addresses, (source_port, destination_port, sequence)) in probes {
            let packet = template.fill(addresses, source_port, destination_port, sequence);
            assert_checksums(packet);
            let mut expected = Vec::new();
            builder(addresses, hop_limit)
                .tcp(source_port, destination_port, sequence, window)
                .syn()
                .options(&[etherparse::TcpOptionElement::MaximumSegmentSize(mss)])
                .unwrap()
                .write(&mut expected, &[])
                .unwrap();
            prop_assert_eq!(packet, expected);
            let read = parse(packet).unwrap();
            prop_assert_eq!(read.addresses(), addresses);
            prop_assert_eq!(read.hop_limit(), hop_limit);
            prop_assert_eq!(read.checksum_is_valid(), Some(true));
            prop_assert_eq!(read.payload, Payload::Tcp(TcpSegment {
                source_port,
                destination_port,
                sequence,
                acknowledgement: 0,
                flags: TcpFlags::SYN,
                window,
                payload: &[],
            }));
        }
    }

    #[test]
    fn datagrams_are_exact(
        addresses in address_pair(),
        (source_port, destination_port) in any::<(u16, u16)>(),
        payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut packet = vec![1; 7];
        write_udp(&mut packet, addresses, source_port, destination_port, &payload).unwrap();
        assert_checksums(&packet);
        let mut expected = Vec::new();
        builder(addresses, DEFAULT_HOP_LIMIT)
            .udp(source_port, destination_port)
            .write(&mut expected, &payload)
            .unwrap();
        prop_assert_eq!(&packet, &expected);
        let read = parse(&packet).unwrap();
        prop_assert_eq!(read.checksum_is_valid(), Some(true));
        prop_assert_eq!(
            read.payload,
            Payload::Udp(UdpDatagram { source_port, destination_port, payload: &payload })
        );
    }

    #[test]
    fn echo_requests_are_exact(
        addresses in address_pair(),
        (identifier, sequence) in any::<(u16, u16)>(),
        payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut packet = Vec::new();
        write_echo_request(&mut packet, addresses, identifier, sequence, &payload).unwrap();
        assert_checksums(&packet);
        let read = parse(&packet).unwrap();
        prop_assert_eq!(read.checksum_is_valid(), Some(true));
        prop_assert_eq!(
            read.payload,
            Payload::EchoRequest(EchoMessage { identifier, sequence, payload: &payload })
        );
    }
}

#[test]
fn an_echo_reply_of_another_implementation_is_read() {
    let mut packet = Vec::new();
    builder(v6(), 60).icmpv6_echo_reply(1, 2).write(&mut packet, b"payload").unwrap();
    let expected = EchoMessage { identifier: 1, sequence: 2, payload: b"payload" };
    assert_eq!(parse(&packet).unwrap().payload, Payload::EchoReply(expected));
    let mut packet = Vec::new();
    builder(v4(), 60).icmpv4_echo_reply(1, 2).write(&mut packet, b"payload").unwrap();
    assert_eq!(parse(&packet).unwrap().payload, Payload::EchoReply(expected));
    assert_eq!(parse(&packet).unwrap().checksum_is_valid(), Some(true));
}

#[test]
fn a_payload_too_long_is_refused_and_nothing_written() {
    let mut packet = vec![7; 3];
    for (addresses, limit) in [(v4(), 65_507), (v6(), 65_527)] {
        let payload = vec![0; limit + 1];
        let error = Err(PayloadTooLong { length: limit + 1, limit });
        assert_eq!(write_udp(&mut packet, addresses, 1, 2, &payload), error);
        assert_eq!(write_echo_request(&mut packet, addresses, 1, 2, &payload), error);
        assert_eq!(packet, [7; 3]);
        write_udp(&mut packet.clone(), addresses, 1, 2, &payload[..limit]).unwrap();
    }
}
