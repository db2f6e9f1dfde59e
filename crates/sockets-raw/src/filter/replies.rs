//! The filter of a scan's answers, compiled.

use std::net::IpAddr;

use ports_core::PortRange;

use super::compile::{ipv4_host, ipv6_host, require_first_fragment, require_ipv4, require_ipv6};
use super::emit::{Check, Code, byte, protocol_found, transport_byte, transport_half};
use super::{FilterInstruction, PacketEnd, Program};
use crate::wire::{ether_type, protocol};

/// Echo reply; unreachable, source quench, redirect; time exceeded, parameter problem (RFC 792).
const ICMP_TYPES: &[(u8, u8)] = &[(0, 0), (3, 5), (11, 12)];
/// Unreachable, too big, time exceeded, parameter problem; echo reply (RFC 4443).
const ICMPV6_TYPES: &[(u8, u8)] = &[(1, 4), (129, 129)];

pub(super) fn compile(local: IpAddr, ports: PortRange) -> Program {
    let mut section = Code::default();
    let ether_type = match local {
        IpAddr::V4(local) => {
            require_ipv4(&mut section);
            section.require_any(&ipv4_host(PacketEnd::Destination, local, [12, 16]));
            require_first_fragment(&mut section);
            section.find_ipv4_transport();
            section.require_any(&answers(byte(9), ports, protocol::ICMP, ICMP_TYPES));
            ether_type::IPV4
        }
        IpAddr::V6(local) => {
            require_ipv6(&mut section);
            section.require_any(&ipv6_host(PacketEnd::Destination, local));
            section.find_ipv6_transport(true);
            let answers = answers(protocol_found(), ports, protocol::ICMPV6, ICMPV6_TYPES);
            section.require_any(&answers);
            ether_type::IPV6
        }
    };
    section.accept();
    let mut code = Code::default();
    code.dispatch(vec![(ether_type, section)]);
    Program::of_ours(code)
}

fn answers(
    load_protocol: FilterInstruction,
    ports: PortRange,
    icmp: u8,
    types: &[(u8, u8)],
) -> Vec<Vec<Check>> {
    let (first, last) = (u32::from(ports.first().number()), u32::from(ports.last().number()));
    let between = Check::between(transport_half(2), first, last);
    let tcp = Check::equal(load_protocol, u32::from(protocol::TCP));
    let mut alternatives = vec![[&[tcp][..], &between].concat()];
    for (first, last) in types {
        let is_icmp = Check::equal(load_protocol, u32::from(icmp));
        let between = Check::between(transport_byte(0), u32::from(*first), u32::from(*last));
        alternatives.push([&[is_icmp][..], &between].concat());
    }
    alternatives
}
