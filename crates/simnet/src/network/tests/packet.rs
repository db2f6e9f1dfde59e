//! What the scanner sends, and what it hears, as text.

use std::fmt::Write as _;

use etherparse::{
    IcmpEchoHeader, Icmpv4Type, Icmpv6Type, NetSlice, PacketBuilder, SlicedPacket, TransportSlice,
};

use super::*;

const SCANNER: &str = "10.79.0.1";
const SCANNER6: &str = "fd79::1";

fn ip(source: IpAddr, destination: IpAddr) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            PacketBuilder::ipv4(source.octets(), destination.octets(), 64)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            PacketBuilder::ipv6(source.octets(), destination.octets(), 64)
        }
        _ => panic!("two families"),
    }
}

pub(super) fn to(host: &str) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    let host: IpAddr = host.parse().unwrap();
    let scanner = if host.is_ipv4() { SCANNER } else { SCANNER6 };
    ip(scanner.parse().unwrap(), host)
}

pub(super) fn syn(host: &str, port: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    to(host).tcp(40_000, port, 100, 1024).syn().write_to_vec(&mut packet, &[]).unwrap();
    packet
}

pub(super) fn udp(host: &str, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    to(host).udp(40_000, port).write_to_vec(&mut packet, payload).unwrap();
    packet
}

pub(super) fn ping(host: &str) -> Vec<u8> {
    let (mut packet, echo) = (Vec::new(), IcmpEchoHeader { id: 7, seq: 9 });
    if host.contains(':') {
        to(host).icmpv6(Icmpv6Type::EchoRequest(echo)).write_to_vec(&mut packet, b"abc").unwrap();
    } else {
        to(host).icmpv4(Icmpv4Type::EchoRequest(echo)).write_to_vec(&mut packet, b"abc").unwrap();
    }
    packet
}

/// One line for a packet: who, what, and the checksums' verdict.
pub(super) fn shown(packet: &[u8]) -> String {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let (source, ttl) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => (IpAddr::from(ip.header().source()), ip.header().ttl()),
        Some(NetSlice::Ipv6(ip)) => (IpAddr::from(ip.header().source()), ip.header().hop_limit()),
        _ => panic!("no IP"),
    };
    let mut line = format!("{source} ttl {ttl} ");
    match sliced.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            let flags = [(tcp.syn(), "S"), (tcp.ack(), "A"), (tcp.rst(), "R"), (tcp.fin(), "F")];
            let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, f)| *f).collect();
            write!(line, "tcp {} {flags} ack {}", tcp.source_port(), tcp.acknowledgment_number())
                .unwrap();
        }
        TransportSlice::Udp(udp) => {
            write!(line, "udp {} {:?}", udp.source_port(), udp.payload()).unwrap();
        }
        TransportSlice::Icmpv4(icmp) => {
            write!(
                line,
                "icmp {}/{} {} bytes",
                icmp.type_u8(),
                icmp.code_u8(),
                icmp.payload().len()
            )
            .unwrap();
        }
        TransportSlice::Icmpv6(icmp) => {
            write!(
                line,
                "icmp6 {}/{} {} bytes",
                icmp.type_u8(),
                icmp.code_u8(),
                icmp.payload().len()
            )
            .unwrap();
        }
        TransportSlice::Igmp(_) => panic!("nobody sends that"),
    }
    // Our own parser verifies what we wrote, but for ICMP errors, which it does not look into.
    assert!(!matches!(Query::parse(packet), Err(Refusal::Checksum)), "{line}");
    line
}
