//! Filters, condition by condition.

use std::net::IpAddr;

use ports_core::PortRange;

use super::compile::{Conditions, Networks};
use super::{Filter, FilterProtocol, PacketEnd, Program};

/// Conditions of a [`Filter`]; a packet must meet all of them.
#[derive(Clone, Debug, Default)]
pub struct FilterBuilder {
    conditions: Conditions,
}

/// Why conditions make no filter: nothing could pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The protocol has no ports.
    #[error("only TCP and UDP have ports")]
    NoPorts,
    /// An IPv4 host and an IPv6 host, or a host and a protocol of the other version.
    #[error("no packet is both IPv4 and IPv6")]
    MixedVersions,
    /// More conditions than a program has room for.
    #[error("a filter has at most {most} conditions, not {asked}", most = FilterBuilder::MOST_CONDITIONS)]
    TooMany {
        /// How many there are.
        asked: usize,
    },
}

impl FilterBuilder {
    /// How many conditions on hosts and ports there may be.
    pub const MOST_CONDITIONS: usize = 32;

    #[cfg(test)]
    pub(super) const fn of(conditions: Conditions) -> Self {
        Self { conditions }
    }

    /// Only packets of this protocol; the last one said counts.
    #[must_use]
    pub const fn protocol(mut self, protocol: FilterProtocol) -> Self {
        self.conditions.protocol = Some(protocol);
        self
    }

    /// Only packets with this address at that end; ARP packets that ask or tell about it count, too,
    /// unless a protocol is asked for.
    #[must_use]
    pub fn host(mut self, end: PacketEnd, host: IpAddr) -> Self {
        self.conditions.hosts.push((end, host));
        self
    }

    /// Only TCP and UDP packets with one of these ports at that end. Later fragments of a packet
    /// show no ports and do not pass.
    #[must_use]
    pub fn ports(mut self, end: PacketEnd, ports: PortRange) -> Self {
        self.conditions.ports.push((end, ports));
        self
    }

    /// The filter.
    ///
    /// # Errors
    ///
    /// [`FilterError`] where nothing could ever pass, or the conditions are too many.
    pub fn build(self) -> Result<Filter, FilterError> {
        use FilterProtocol::{Arp, Icmp, Icmpv6};
        let Conditions { protocol, hosts, ports } = &self.conditions;
        if matches!(protocol, Some(Arp | Icmp | Icmpv6)) && !ports.is_empty() {
            return Err(FilterError::NoPorts);
        }
        let asked = hosts.len() + ports.len();
        if asked > Self::MOST_CONDITIONS {
            return Err(FilterError::TooMany { asked });
        }
        if let Networks { ipv4: false, ipv6: false, arp: false } = self.conditions.networks() {
            return Err(FilterError::MixedVersions);
        }
        Ok(Filter { program: Program::of_ours(self.conditions.compile()) })
    }
}
