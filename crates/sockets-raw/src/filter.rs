//! Filters that the kernel runs on packets before they reach a socket: conjunctions, compiled to
//! classic BPF.

mod builder;
mod code;
mod compile;
mod emit;
mod program;
mod replies;
mod run;

use std::net::IpAddr;

use ports_core::PortRange;
use sockets_sys::FilterInstruction;

pub use builder::{FilterBuilder, FilterError};
pub use program::{Program, ProgramError};

/// Which packets reach a socket: all those that meet every condition.
///
/// A filter is for cooked packet sockets ([`PacketLevel::Network`](crate::PacketLevel)): it looks at
/// packets from the network header on, and at their Ethernet type.
///
/// ```
/// use ports_core::{Port, PortRange};
/// use sockets_raw::{Filter, FilterProtocol, PacketEnd, wire};
///
/// let web = Filter::builder()
///     .protocol(FilterProtocol::Tcp)
///     .host(PacketEnd::Destination, "192.0.2.2".parse()?)
///     .ports(PacketEnd::Either, PortRange::single(Port::new(443)))
///     .build()?;
///
/// let mut template = wire::TcpSynTemplate::default();
/// let there = wire::AddressPair::new("192.0.2.1".parse()?, "192.0.2.2".parse()?).unwrap();
/// assert!(web.passes(template.fill(there, 40_000, 443, 1), wire::ether_type::IPV4));
/// assert!(!web.passes(template.fill(there, 40_000, 80, 1), wire::ether_type::IPV4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    program: Program,
}

/// Which protocol a packet must be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilterProtocol {
    /// IPv4, whatever it carries.
    Ipv4,
    /// IPv6, whatever it carries.
    Ipv6,
    /// Address resolution.
    Arp,
    /// TCP over either IP.
    Tcp,
    /// UDP over either IP.
    Udp,
    /// ICMP over IPv4.
    Icmp,
    /// ICMP over IPv6.
    Icmpv6,
}

/// Which end of a packet a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PacketEnd {
    /// Where it comes from, or where it goes to.
    #[default]
    Either,
    /// Where it comes from.
    Source,
    /// Where it goes to.
    Destination,
}

impl Filter {
    /// No conditions yet: everything passes.
    pub fn builder() -> FilterBuilder {
        FilterBuilder::default()
    }

    /// Everything passes.
    pub fn everything() -> Self {
        Self { program: Program::of_ours(compile::Conditions::default().compile()) }
    }

    /// What can answer a scan that asks from `local` and these ports: TCP to one of the ports, echo
    /// replies and ICMP errors, all to `local`. Later fragments, which show no ports, do not pass.
    pub fn replies(local: IpAddr, ports: PortRange) -> Self {
        Self { program: replies::compile(local, ports) }
    }

    /// The program, for [`PacketConfig::filter`](crate::PacketConfig::filter) or
    /// [`PacketSocket::attach_filter`](crate::PacketSocket::attach_filter).
    pub fn instructions(&self) -> &[FilterInstruction] {
        self.program.instructions()
    }

    /// The program.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// Whether the kernel would let this packet pass: `packet` from its network header on, and its
    /// Ethernet type.
    pub fn passes(&self, packet: &[u8], ether_type: u16) -> bool {
        self.program.run(packet, ether_type) > 0
    }
}

#[cfg(test)]
mod tests;
