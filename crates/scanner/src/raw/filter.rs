//! Which packets the kernel hands to a worker: answers to its probes, and what neighbours say.

use ports_core::PortRange;
use sockets_raw::{Filter, FilterInstruction, FilterProtocol, LinkAddress, PacketEnd};

/// What a channel takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// TCP over IPv4 to the ports that probes leave from, and ICMP.
    Ipv4,
    /// TCP over IPv6 to the ports that probes leave from, and `ICMPv6`, in which neighbours speak.
    Ipv6,
    /// ARP, in which neighbours speak over IPv4.
    Arp,
}

/// `BPF_JMP | BPF_JA` and `BPF_RET | BPF_K` (`linux/bpf_common.h`).
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;

impl Traffic {
    /// The `EtherType` of its packets.
    pub(super) const fn ether_type(self) -> u16 {
        match self {
            Self::Ipv4 => LinkAddress::IPV4,
            Self::Ipv6 => LinkAddress::IPV6,
            Self::Arp => LinkAddress::ARP,
        }
    }

    /// The program that lets only that through; `ports` are those that probes leave from.
    pub(super) fn program(self, ports: PortRange) -> Option<Vec<FilterInstruction>> {
        let icmp = match self {
            Self::Ipv4 => FilterProtocol::Icmp,
            Self::Ipv6 => FilterProtocol::Icmpv6,
            // The socket receives nothing else.
            Self::Arp => return None,
        };
        let tcp = Filter::builder()
            .protocol(FilterProtocol::Tcp)
            .ports(PacketEnd::Destination, ports)
            .build();
        // Both are conditions that can be met; without a program more would be read in vain.
        let icmp = Filter::builder().protocol(icmp).build();
        Some(either(tcp.ok()?.instructions(), icmp.ok()?.instructions()))
    }
}

/// Lets through what either program lets through: where the first says no, the second begins.
fn either(first: &[FilterInstruction], second: &[FilterInstruction]) -> Vec<FilterInstruction> {
    let mut program = first.to_vec();
    for (place, instruction) in program.iter_mut().enumerate() {
        if (instruction.code, instruction.operand) == (RETURN, 0) {
            let skipped = first.len() - place - 1;
            let operand = skipped as u32;
            *instruction = FilterInstruction { code: JUMP, jump_true: 0, jump_false: 0, operand };
        }
    }
    program.extend(second);
    program
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use sockets_raw::Program;
    use sockets_raw::wire::{
        AddressPair, TcpSynTemplate, ether_type, write_echo_request, write_neighbour_solicitation,
        write_udp,
    };

    use super::*;

    fn passes(traffic: Traffic, packet: &[u8]) -> bool {
        let ports = PortRange::new(40_000, 40_015).unwrap();
        let program = Program::new(traffic.program(ports).unwrap()).unwrap();
        let ether_type = if packet[0] >> 4 == 4 { ether_type::IPV4 } else { ether_type::IPV6 };
        program.run(packet, ether_type) > 0
    }

    fn addresses(v6: bool) -> AddressPair {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        if v6 {
            AddressPair::new(parse("2001:db8::2"), parse("2001:db8::1")).unwrap()
        } else {
            AddressPair::new(parse("192.0.2.2"), parse("192.0.2.1")).unwrap()
        }
    }

    #[test]
    fn tcp_to_our_ports_and_icmp_pass_and_nothing_else() {
        for (traffic, v6) in [(Traffic::Ipv4, false), (Traffic::Ipv6, true)] {
            let mut template = TcpSynTemplate::default();
            for (port, ours) in [(39_999, false), (40_000, true), (40_015, true), (40_016, false)] {
                let packet = template.fill(addresses(v6), 80, port, 1);
                assert_eq!(passes(traffic, packet), ours, "{port}");
            }
            let mut packet = Vec::new();
            write_echo_request(&mut packet, addresses(v6), 1, 2, b"").unwrap();
            assert!(passes(traffic, &packet));
            write_udp(&mut packet, addresses(v6), 53, 40_000, b"").unwrap();
            assert!(!passes(traffic, &packet));
        }
    }

    #[test]
    fn neighbours_are_heard_over_ipv6() {
        let mut packet = Vec::new();
        let target = "2001:db8::9".parse().unwrap();
        write_neighbour_solicitation(&mut packet, [2; 6], "fe80::1".parse().unwrap(), target);
        assert!(passes(Traffic::Ipv6, &packet));
        assert_eq!(Traffic::Arp.program(PortRange::new(1, 2).unwrap()), None);
    }
}
