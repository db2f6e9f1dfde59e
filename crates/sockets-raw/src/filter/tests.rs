//! Compiled filters against the naive reading of their conditions, and taken by the kernel.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use proptest::prelude::*;
use proptest::sample::select;

use super::compile::Conditions;
use super::*;
use crate::wire::{self, AddressPair, ArpPacket, IcmpErrorKind, Payload, ether_type, protocol};

/// What the conditions say, read off the parsed packet.
fn naive(conditions: &Conditions, ether: u16, bytes: &[u8]) -> bool {
    let at = |end, source: bool, destination: bool| match end {
        PacketEnd::Either => source || destination,
        PacketEnd::Source => source,
        PacketEnd::Destination => destination,
    };
    let all_hosts = |source: IpAddr, destination: IpAddr| {
        conditions.hosts.iter().all(|(end, host)| at(*end, *host == source, *host == destination))
    };
    if conditions.protocol.is_none() && conditions.hosts.is_empty() && conditions.ports.is_empty() {
        return true;
    }
    if ether == ether_type::ARP {
        let is_meant = matches!(conditions.protocol, None | Some(FilterProtocol::Arp));
        return is_meant
            && conditions.ports.is_empty()
            && (conditions.hosts.is_empty()
                || ArpPacket::parse(bytes)
                    .is_some_and(|arp| all_hosts(arp.sender.into(), arp.target.into())));
    }
    let Some(packet) = wire::parse(bytes) else { return false };
    let is_ipv4 = packet.source().is_ipv4();
    if ether != if is_ipv4 { ether_type::IPV4 } else { ether_type::IPV6 } {
        return false;
    }
    let number = packet.protocol();
    let of_protocol = match conditions.protocol {
        None => true,
        Some(FilterProtocol::Ipv4) => is_ipv4,
        Some(FilterProtocol::Ipv6) => !is_ipv4,
        Some(FilterProtocol::Arp) => false,
        Some(FilterProtocol::Tcp) => number == protocol::TCP,
        Some(FilterProtocol::Udp) => number == protocol::UDP,
        Some(FilterProtocol::Icmp) => is_ipv4 && number == protocol::ICMP,
        Some(FilterProtocol::Icmpv6) => !is_ipv4 && number == protocol::ICMPV6,
    };
    let of_ports = conditions.ports.iter().all(|(end, range)| {
        packet.ports().is_some_and(|(source, destination)| {
            at(*end, range.contains(source.into()), range.contains(destination.into()))
        })
    });
    of_protocol && of_ports && all_hosts(packet.source(), packet.destination())
}

/// Few values, so that packets and conditions meet.
fn ipv4() -> impl Strategy<Value = Ipv4Addr> {
    select(vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)])
}

fn ipv6() -> impl Strategy<Value = Ipv6Addr> {
    let near = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    select(vec![near, Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 1), Ipv6Addr::LOCALHOST])
}

fn end() -> impl Strategy<Value = PacketEnd> {
    select(vec![PacketEnd::Either, PacketEnd::Source, PacketEnd::Destination])
}

fn conditions() -> impl Strategy<Value = Conditions> {
    use FilterProtocol::{Arp, Icmp, Icmpv6, Ipv4, Ipv6, Tcp, Udp};
    let host = prop_oneof![ipv4().prop_map(IpAddr::V4), ipv6().prop_map(IpAddr::V6)];
    let range = (0u16..6, 0u16..3).prop_map(|(first, more)| PortRange::new(first, first + more));
    (
        prop::option::of(select(vec![Arp, Icmp, Icmpv6, Ipv4, Ipv6, Tcp, Udp])),
        prop::collection::vec((end(), host), 0..3),
        prop::collection::vec((end(), range.prop_map(Result::unwrap)), 0..3),
    )
        .prop_map(|(protocol, hosts, ports)| Conditions { protocol, hosts, ports })
}

/// Chains of extension headers and a transport, IPv4 options, fragments, errors; then damage.
fn packet() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let extension = prop_oneof![
        (select(vec![0u8, 43, 60, 135, 139, 140]), 0u8..2).prop_map(|(number, units)| {
            (number, [vec![units], vec![0; usize::from(units) * 8 + 6]].concat())
        }),
        select(vec![0u16, 1, 8, 0xfff8, 0x0809])
            .prop_map(|at| (44u8, [vec![0], at.to_be_bytes().to_vec(), vec![0; 4]].concat())),
        (0u8..3)
            .prop_map(|units| (51, [vec![units], vec![0; usize::from(units) * 4 + 6]].concat())),
    ];
    let numbers = vec![protocol::TCP, protocol::UDP, protocol::ICMP, protocol::ICMPV6, 59, 132];
    let transport = (select(numbers), 0u16..7, 0u16..7, prop::collection::vec(any::<u8>(), 0..24))
        .prop_map(|(number, source, destination, rest)| {
            let ports = [source.to_be_bytes(), destination.to_be_bytes()].concat();
            (number, [ports, rest].concat())
        });
    let v4 = (
        ipv4(),
        ipv4(),
        0usize..3,
        select(vec![0u16, 0x2000, 0x4000, 1, 0x2001]),
        transport.clone(),
    )
        .prop_map(|(source, destination, options, fragment, (number, payload))| {
            let length = (20 + options * 4 + payload.len()) as u16;
            let mut packet = wire_ipv4(source, destination, number, length);
            packet[0] = 0x45 + options as u8;
            packet[6..8].copy_from_slice(&fragment.to_be_bytes());
            packet.extend(vec![1; options * 4]);
            packet.extend(payload);
            (ether_type::IPV4, packet)
        });
    let v6 = (ipv6(), ipv6(), prop::collection::vec(extension, 0..10), transport).prop_map(
        |(source, destination, extensions, (number, payload))| {
            let mut packet = wire_ipv6(source, destination);
            let mut next_at = 6;
            for (number, rest) in extensions {
                packet[next_at] = number;
                next_at = packet.len();
                packet.push(0);
                packet.extend(rest);
            }
            packet[next_at] = number;
            packet.extend(payload);
            let length = (packet.len() - 40) as u16;
            packet[4..6].copy_from_slice(&length.to_be_bytes());
            (ether_type::IPV6, packet)
        },
    );
    let arp = (ipv4(), ipv4()).prop_map(|(sender, target)| {
        let mut packet = Vec::new();
        wire::write_arp_request(&mut packet, [2; 6], sender, target);
        (ether_type::ARP, packet)
    });
    let other = prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| (0x88cc, bytes));
    (prop_oneof![4 => v4, 6 => v6, 1 => arp, 1 => other], any::<prop::sample::Index>(), 0u8..4)
        .prop_map(|((ether, mut bytes), at, damage)| {
            match damage {
                0 => bytes.truncate(at.index(bytes.len() + 1)),
                1 if ether == ether_type::ARP => bytes[at.index(8)] ^= 1,
                _ => {}
            }
            (ether, bytes)
        })
}

fn wire_ipv4(source: Ipv4Addr, destination: Ipv4Addr, number: u8, length: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, number, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet
}

fn wire_ipv6(source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 0, 64];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet
}

fn build(conditions: &Conditions) -> Result<Filter, FilterError> {
    FilterBuilder::of(conditions.clone()).build()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_filter_says_what_its_conditions_say(
        conditions in conditions(), (ether, bytes) in packet(),
    ) {
        let expected = naive(&conditions, ether, &bytes);
        match build(&conditions) {
            // A packet without a readable IP header is nobody's.
            Ok(filter) if ether == ether_type::ARP || wire::parse(&bytes).is_some() => {
                prop_assert_eq!(filter.passes(&bytes, ether), expected);
            }
            Ok(_) => {}
            Err(_) => prop_assert!(!expected),
        }
    }

    #[test]
    fn answers_pass_and_nothing_else(
        to_ipv6: bool, first in 0u16..6, more in 0u16..3, (ether, bytes) in packet(),
    ) {
        let local: IpAddr = if to_ipv6 { Ipv6Addr::LOCALHOST.into() } else { [10, 0, 0, 1].into() };
        let ports = PortRange::new(first, first + more).unwrap();
        let filter = Filter::replies(local, ports);
        let Some(packet) = wire::parse(&bytes) else { return Ok(()) };
        let first_fragment = !matches!(packet.payload, Payload::Fragment(_));
        let kind = packet.carried().first().copied();
        let expected = packet.destination() == local && first_fragment && match packet.protocol() {
            protocol::TCP => packet.ports().is_some_and(|(_, to)| ports.contains(to.into())),
            protocol::ICMP if local.is_ipv4() => matches!(kind, Some(0 | 3..=5 | 11 | 12)),
            protocol::ICMPV6 if local.is_ipv6() => matches!(kind, Some(1..=4 | 129)),
            _ => false,
        };
        prop_assert_eq!(filter.passes(&bytes, ether), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The largest programs, too.
    #[test]
    #[cfg_attr(miri, ignore)]
    fn the_kernel_takes_what_is_compiled(conditions in conditions(), times in 1usize..9) {
        let mut conditions = conditions;
        conditions.hosts = conditions.hosts.repeat(times);
        conditions.ports = conditions.ports.repeat(times);
        if let Ok(filter) = build(&conditions) {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            sockets_sys::attach_filter(&socket, filter.instructions()).unwrap();
        }
    }
}

#[test]
fn the_kernel_takes_the_filter_of_a_scan() {
    for local in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
        let filter = Filter::replies(local, PortRange::DYNAMIC);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        sockets_sys::attach_filter(&socket, filter.instructions()).unwrap();
    }
}

#[test]
fn conditions_that_nothing_meets_are_refused() {
    let (v4, v6) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from(Ipv6Addr::LOCALHOST));
    let any = PacketEnd::Either;
    let mixed = Filter::builder().host(any, v4).host(any, v6).build();
    assert_eq!(mixed, Err(FilterError::MixedVersions));
    let mixed = Filter::builder().protocol(FilterProtocol::Icmpv6).host(any, v4).build();
    assert_eq!(mixed, Err(FilterError::MixedVersions));
    let none = Filter::builder().protocol(FilterProtocol::Icmp).ports(any, PortRange::SYSTEM);
    assert_eq!(none.build(), Err(FilterError::NoPorts));
    let many = (0..33).fold(Filter::builder(), |builder, _| builder.host(any, v4)).build();
    assert_eq!(many, Err(FilterError::TooMany { asked: 33 }));
}

#[test]
fn an_error_about_a_probe_passes_the_filter_of_the_scan() {
    let pair = AddressPair::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into()).unwrap();
    let mut template = wire::TcpSynTemplate::default();
    let probe = template.fill(pair, 40_000, 443, 1).to_vec();
    let length = (28 + probe.len()) as u16;
    let (AddressPair::V4 { source, .. }, router) = (pair, Ipv4Addr::new(203, 0, 113, 1)) else {
        panic!()
    };
    let mut error = wire_ipv4(router, source, protocol::ICMP, length);
    error.extend([3, 13, 0, 0, 0, 0, 0, 0]);
    error.extend(probe);
    let filter = Filter::replies(pair.source(), PortRange::single(40_000.into()));
    assert!(filter.passes(&error, ether_type::IPV4));
    let Payload::IcmpError(read) = wire::parse(&error).unwrap().payload else { panic!() };
    assert_eq!(read.kind, IcmpErrorKind::AdministrativelyProhibited);
    assert!(!filter.passes(&error, ether_type::IPV6));
}
