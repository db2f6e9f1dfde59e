//! What is built here is what another implementation reads, and the other way round; any bytes at
//! all are read without a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;

fn address_pair() -> impl Strategy<Value = AddressPair> {
    prop_oneof![
        any::<(Ipv4Addr, Ipv4Addr)>()
            .prop_map(|(source, destination)| AddressPair::V4 { source, destination }),
        any::<(Ipv6Addr, Ipv6Addr)>()
            .prop_map(|(source, destination)| AddressPair::V6 { source, destination }),
    ]
}

fn v4() -> AddressPair {
    AddressPair::V4 { source: Ipv4Addr::new(192, 0, 2, 1), destination: Ipv4Addr::LOCALHOST }
}

fn v6() -> AddressPair {
    AddressPair::V6 {
        source: "2001:db8::1".parse().unwrap(),
        destination: "2001:db8::2".parse().unwrap(),
    }
}

/// The same headers by etherparse.
fn builder(addresses: AddressPair, hop_limit: u8) -> PacketBuilderStep<IpHeaders> {
    match addresses {
        AddressPair::V4 { source, destination } => {
            PacketBuilder::ipv4(source.octets(), destination.octets(), hop_limit)
        }
        AddressPair::V6 { source, destination } => {
            PacketBuilder::ipv6(source.octets(), destination.octets(), hop_limit)
        }
    }
}

/// Asserts that etherparse finds the checksums right.
fn assert_checksums(packet: &[u8]) {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let addresses = parse(packet).unwrap().addresses();
    if let Some(etherparse::NetSlice::Ipv4(ip)) = &sliced.net {
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert!(header.dont_fragment);
    }
    let (stated, counted) = match (sliced.transport.unwrap(), addresses) {
        (TransportSlice::Tcp(tcp), AddressPair::V4 { source, destination }) => {
            (tcp.checksum(), tcp.calc_checksum_ipv4(source.octets(), destination.octets()).unwrap())
        }
        (TransportSlice::Tcp(tcp), AddressPair::V6 { source, destination }) => {
            (tcp.checksum(), tcp.calc_checksum_ipv6(source.octets(), destination.octets()).unwrap())
        }
        (TransportSlice::Udp(udp), AddressPair::V4 { source, destination }) => {
            let (header, payload) = (udp.to_header(), udp.payload());
            let sum = header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), payload);
            (udp.checksum(), sum.unwrap())
        }
        (TransportSlice::Udp(udp), AddressPair::V6 { source, destination }) => {
            let (header, payload) = (udp.to_header(), udp.payload());
            let sum = header.calc_checksum_ipv6_raw(source.octets(), destination.octets(), payload);
            (udp.checksum(), sum.unwrap())
        }
        (TransportSlice::Icmpv4(icmp), _) => {
            let header = icmp.header();
            (header.checksum, header.icmp_type.calc_checksum(icmp.payload()))
        }
        (TransportSlice::Icmpv6(icmp), AddressPair::V6 { source, destination }) => {
            assert!(icmp.is_checksum_valid(source.octets(), destination.octets()));
            return;
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(stated, counted);
}

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

#[test]
fn an_error_quotes_the_probe() {
    let source = IpAddr::from([203, 0, 113, 1]);
    for (code, kind) in [
        (0, IcmpErrorKind::NetworkUnreachable),
        (1, IcmpErrorKind::HostUnreachable),
        (2, IcmpErrorKind::ProtocolUnreachable),
        (3, IcmpErrorKind::PortUnreachable),
        (4, IcmpErrorKind::PacketTooBig { mtu: 1280 }),
        (13, IcmpErrorKind::AdministrativelyProhibited),
    ] {
        let mut template = TcpSynTemplate::default();
        let probe = template.fill(v4(), 40_000, 443, 0xdead_beef);
        let mut message = vec![3, code, 0, 0, 0, 0, 5, 0];
        // RFC 792: the header and eight bytes.
        message.extend(&probe[..28]);
        let mut packet = Vec::new();
        let back = AddressPair::new(source, v4().source()).unwrap();
        ip::write(&mut packet, back, protocol::ICMP, 64, message.len()).unwrap();
        packet.extend(&message);
        let read = parse(&packet).unwrap();
        assert_eq!(read.source(), source);
        let Payload::IcmpError(error) = read.payload else { panic!("{read:?}") };
        assert_eq!((error.kind, error.message_type, error.code), (kind, 3, code));
        let quoted = error.quoted.unwrap();
        assert_eq!((quoted.addresses, quoted.protocol), (v4(), protocol::TCP));
        let tcp = QuotedTransport::Tcp {
            source_port: 40_000,
            destination_port: 443,
            sequence: 0xdead_beef,
        };
        assert_eq!(quoted.transport, tcp);
    }
}

#[test]
fn an_error_of_icmpv6_quotes_the_probe() {
    let mut datagram = Vec::new();
    write_udp(&mut datagram, v6(), 5, 53, b"?").unwrap();
    let mut echo = Vec::new();
    write_echo_request(&mut echo, v6(), 8, 9, &[]).unwrap();
    let udp = QuotedTransport::Udp { source_port: 5, destination_port: 53 };
    let request = QuotedTransport::Echo { identifier: 8, sequence: 9 };
    for (probe, transport) in
        [(&datagram[..], udp), (&echo, request), (&echo[..44], QuotedTransport::Unknown)]
    {
        for (message_type, code, kind) in [
            (1, 0, IcmpErrorKind::NetworkUnreachable),
            (1, 1, IcmpErrorKind::AdministrativelyProhibited),
            (1, 3, IcmpErrorKind::HostUnreachable),
            (1, 4, IcmpErrorKind::PortUnreachable),
            (2, 0, IcmpErrorKind::PacketTooBig { mtu: 1280 }),
            (3, 0, IcmpErrorKind::TimeExceeded),
            (4, 1, IcmpErrorKind::ProtocolUnreachable),
        ] {
            let mut message = vec![message_type, code, 0, 0, 0, 0, 5, 0];
            message.extend(probe);
            let mut packet = Vec::new();
            ip::write(&mut packet, v6().reversed(), protocol::ICMPV6, 64, message.len()).unwrap();
            packet.extend(&message);
            let read = parse(&packet).unwrap();
            let Payload::IcmpError(error) = read.payload else { panic!("{read:?}") };
            assert_eq!(error.kind, kind);
            assert_eq!(error.quoted.map(|quoted| quoted.transport), Some(transport));
        }
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
fn who_has_an_address() {
    let mut packet = Vec::new();
    let link = [2, 0, 0, 0, 0, 1];
    let (sender, target) = (Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(10, 77, 0, 2));
    write_arp_request(&mut packet, link, sender, target);
    let expected = ArpPacket {
        operation: ArpOperation::Request,
        sender_link: link,
        sender,
        target_link: [0; 6],
        target,
    };
    assert_eq!(ArpPacket::parse(&packet), Some(expected));
    let read = etherparse::ArpPacketSlice::from_slice(&packet).unwrap().to_packet();
    let theirs = etherparse::ArpEthIpv4Packet::try_from(read).unwrap();
    assert_eq!((theirs.sender_ipv4, theirs.target_ipv4), (sender.octets(), target.octets()));
    packet[7] = 2;
    assert_eq!(ArpPacket::parse(&packet).unwrap().operation, ArpOperation::Reply);
    assert!(parse(&packet).is_none());
    assert_eq!(ArpPacket::parse(&packet[..27]), None);
}

#[test]
fn who_has_an_ipv6_address() {
    let (sender, target): (Ipv6Addr, Ipv6Addr) =
        ("fe80::1".parse().unwrap(), "fe80::12:3456".parse().unwrap());
    let link = [2, 0, 0, 0, 0, 1];
    let mut packet = Vec::new();
    write_neighbour_solicitation(&mut packet, link, sender, target);
    assert_checksums(&packet);
    let read = parse(&packet).unwrap();
    let group: Ipv6Addr = "ff02::1:ff12:3456".parse().unwrap();
    assert_eq!((read.destination(), read.hop_limit()), (group.into(), 255));
    assert_eq!(link_address_of_multicast(group), [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
    assert_eq!(
        read.payload,
        Payload::NeighbourSolicitation(NeighbourSolicitation { target, link_address: Some(link) })
    );

    let mut message = vec![136, 0, 0, 0, 0xe0, 0, 0, 0];
    message.extend(target.octets());
    // An option that is not asked for, then the one that is.
    message.extend([14, 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 9]);
    let mut packet = Vec::new();
    let back = AddressPair::V6 { source: target, destination: sender };
    ip::write(&mut packet, back, protocol::ICMPV6, 255, message.len()).unwrap();
    packet.extend(&message);
    let advertisement = NeighbourAdvertisement {
        target,
        link_address: Some([2, 0, 0, 0, 0, 9]),
        is_router: true,
        is_solicited: true,
        overrides: true,
    };
    let read = parse(&packet).unwrap();
    assert_eq!(read.payload, Payload::NeighbourAdvertisement(advertisement));
    // An option of no length would never end.
    packet[65] = 0;
    let Payload::NeighbourAdvertisement(read) = parse(&packet).unwrap().payload else { panic!() };
    assert_eq!(read.link_address, None);
}
