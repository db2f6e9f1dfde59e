//! An ICMP error says what went wrong, and with which probe.

use std::net::IpAddr;

use super::*;

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
