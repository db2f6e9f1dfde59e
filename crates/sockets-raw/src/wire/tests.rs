//! What is built here is what another implementation reads, and the other way round; any bytes at
//! all are read without a panic.

mod exact;
mod icmp_errors;
mod neighbours;
mod reading;

use std::net::{Ipv4Addr, Ipv6Addr};

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
