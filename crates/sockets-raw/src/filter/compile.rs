//! Conditions, compiled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ports_core::PortRange;

use super::emit::{Check, Code, byte, half, protocol_found, transport_half, transport_word, word};
use super::{FilterProtocol, PacketEnd};
use crate::wire::{ether_type, protocol};

/// What a packet must meet; all of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    pub(super) protocol: Option<FilterProtocol>,
    pub(super) hosts: Vec<(PacketEnd, IpAddr)>,
    pub(super) ports: Vec<(PacketEnd, PortRange)>,
}

/// Which network protocols can meet the conditions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Networks {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
    pub(super) arp: bool,
}

impl Conditions {
    pub(super) fn networks(&self) -> Networks {
        use FilterProtocol::{Arp, Icmp, Icmpv6, Ipv4, Ipv6};
        let any = |is: fn(&IpAddr) -> bool| self.hosts.iter().any(|(_, host)| is(host));
        let (ipv4_hosts, ipv6_hosts) = (any(IpAddr::is_ipv4), any(IpAddr::is_ipv6));
        Networks {
            ipv4: !ipv6_hosts && !matches!(self.protocol, Some(Ipv6 | Arp | Icmpv6)),
            ipv6: !ipv4_hosts && !matches!(self.protocol, Some(Ipv4 | Arp | Icmp)),
            arp: !ipv6_hosts && self.ports.is_empty() && matches!(self.protocol, None | Some(Arp)),
        }
    }

    pub(super) fn compile(&self) -> Code {
        let mut code = Code::default();
        if self.protocol.is_none() && self.hosts.is_empty() && self.ports.is_empty() {
            code.accept();
            return code;
        }
        let Networks { ipv4, ipv6, arp } = self.networks();
        let mut sections = Vec::new();
        if ipv4 {
            sections.push((ether_type::IPV4, self.ipv4()));
        }
        if ipv6 {
            sections.push((ether_type::IPV6, self.ipv6()));
        }
        if arp {
            sections.push((ether_type::ARP, self.arp()));
        }
        code.dispatch(sections);
        code
    }

    fn ipv4(&self) -> Code {
        let mut code = Code::default();
        require_ipv4(&mut code);
        if let Some(numbers) = self.transports() {
            code.require_any(&one_of(byte(9), numbers));
        }
        for (end, host) in &self.hosts {
            if let IpAddr::V4(host) = host {
                code.require_any(&ipv4_host(*end, *host, [12, 16]));
            }
        }
        if !self.ports.is_empty() {
            require_first_fragment(&mut code);
            code.find_ipv4_transport();
            self.require_ports(&mut code);
        }
        code.accept();
        code
    }

    fn ipv6(&self) -> Code {
        let mut code = Code::default();
        require_ipv6(&mut code);
        for (end, host) in &self.hosts {
            if let IpAddr::V6(host) = host {
                code.require_any(&ipv6_host(*end, *host));
            }
        }
        if let Some(numbers) = self.transports() {
            code.find_ipv6_transport(!self.ports.is_empty());
            code.require_any(&one_of(protocol_found(), numbers));
            self.require_ports(&mut code);
        }
        code.accept();
        code
    }

    fn arp(&self) -> Code {
        // Ethernet and IPv4, of 6 and 4 bytes.
        const KIND: u32 = 0x0001_0800;
        const LENGTHS: u32 = 0x0604;
        const LAST_BYTE: u32 = 27;
        let mut code = Code::default();
        if !self.hosts.is_empty() {
            code.require(&[Check::equal(word(0), KIND), Check::equal(half(4), LENGTHS)]);
            // A packet cut off is refused by the load.
            code.require(&Check::between(byte(LAST_BYTE), 0, u32::from(u8::MAX)));
        }
        for (end, host) in &self.hosts {
            if let IpAddr::V4(host) = host {
                code.require_any(&ipv4_host(*end, *host, [14, 24]));
            }
        }
        code.accept();
        code
    }

    /// The transports asked for; `None`: any.
    fn transports(&self) -> Option<&'static [u8]> {
        match self.protocol {
            Some(FilterProtocol::Tcp) => Some(&[protocol::TCP]),
            Some(FilterProtocol::Udp) => Some(&[protocol::UDP]),
            Some(FilterProtocol::Icmp) => Some(&[protocol::ICMP]),
            Some(FilterProtocol::Icmpv6) => Some(&[protocol::ICMPV6]),
            _ if self.ports.is_empty() => None,
            _ => Some(&[protocol::TCP, protocol::UDP]),
        }
    }

    fn require_ports(&self, code: &mut Code) {
        if !self.ports.is_empty() {
            // Both ports are there, or none is.
            code.require(&Check::between(transport_word(0), 0, u32::MAX));
        }
        for (end, range) in &self.ports {
            let at = |offset| {
                let (first, last) = (range.first().number(), range.last().number());
                Check::between(transport_half(offset), u32::from(first), u32::from(last)).to_vec()
            };
            code.require_any(&ends(*end, at(0), at(2)));
        }
    }
}

/// Version 4, and a header of at least five words.
pub(super) fn require_ipv4(code: &mut Code) {
    code.require(&Check::between(byte(0), 0x45, 0x4f));
}

/// Version 6.
pub(super) fn require_ipv6(code: &mut Code) {
    code.require(&Check::between(byte(0), 0x60, 0x6f));
}

/// An IPv4 packet that begins with its transport's header.
pub(super) fn require_first_fragment(code: &mut Code) {
    code.require(&[Check::no_bit_of(half(6), 0x1fff)]);
}

fn one_of(load: super::FilterInstruction, numbers: &[u8]) -> Vec<Vec<Check>> {
    let mut checks: Vec<_> =
        numbers.iter().map(|number| vec![Check::still_equal(u32::from(*number))]).collect();
    if let (Some(first), Some(number)) = (checks.first_mut(), numbers.first()) {
        *first = vec![Check::equal(load, u32::from(*number))];
    }
    checks
}

/// `offsets`: of the source's and the destination's address.
pub(super) fn ipv4_host(end: PacketEnd, host: Ipv4Addr, offsets: [u32; 2]) -> Vec<Vec<Check>> {
    let [source, destination] = offsets.map(|at| vec![Check::equal(word(at), host.to_bits())]);
    ends(end, source, destination)
}

pub(super) fn ipv6_host(end: PacketEnd, host: Ipv6Addr) -> Vec<Vec<Check>> {
    let octets = host.octets();
    let (words, _) = octets.as_chunks::<4>();
    let at = |offset: u32| {
        let places = (offset..).step_by(4);
        let pairs = places.zip(words);
        pairs.map(|(at, bytes)| Check::equal(word(at), u32::from_be_bytes(*bytes))).collect()
    };
    ends(end, at(8), at(24))
}

fn ends(end: PacketEnd, source: Vec<Check>, destination: Vec<Check>) -> Vec<Vec<Check>> {
    match end {
        PacketEnd::Either => vec![source, destination],
        PacketEnd::Source => vec![source],
        PacketEnd::Destination => vec![destination],
    }
}
