//! How a network is put together: by calls, or from TOML.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use crate::IcmpLimit;
use crate::network::{Network, Router};
use crate::rule::HostRule;
use crate::schedule::Schedule;

/// The parts of a [`Network`].
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkBuilder {
    seed: u64,
    router: Ipv4Addr,
    router6: Ipv6Addr,
    router_icmp_limit: IcmpLimit,
    most_queued: usize,
    most_queued_bytes: usize,
    hosts: Vec<HostRule>,
}

impl Default for NetworkBuilder {
    fn default() -> Self {
        Self {
            seed: 0,
            router: Self::DEFAULT_ROUTER,
            router6: Self::DEFAULT_ROUTER6,
            router_icmp_limit: IcmpLimit::LINUX,
            most_queued: Self::DEFAULT_MOST_QUEUED,
            most_queued_bytes: Self::DEFAULT_MOST_QUEUED_BYTES,
            hosts: Vec::new(),
        }
    }
}

impl NetworkBuilder {
    /// The dummy address that a router without one of its own sends ICMP from (RFC 7600).
    pub const DEFAULT_ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
    /// An address of the discard-only prefix (RFC 6666): nothing else has it.
    pub const DEFAULT_ROUTER6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8);
    /// Answers under way at most: 100,000 a second with a delay of 2.5 s.
    pub const DEFAULT_MOST_QUEUED: usize = 1 << 18;
    /// Bytes of the answers under way at most: 1 KiB for each of the default number.
    pub const DEFAULT_MOST_QUEUED_BYTES: usize = 1 << 28;

    /// What chance depends on.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The address from which the router sends ICMP errors to IPv4 scanners.
    #[must_use]
    pub const fn router(mut self, address: Ipv4Addr) -> Self {
        self.router = address;
        self
    }

    /// The address from which the router sends ICMP errors to IPv6 scanners.
    #[must_use]
    pub const fn router6(mut self, address: Ipv6Addr) -> Self {
        self.router6 = address;
        self
    }

    /// How the router limits its ICMP errors; by itself as Linux does.
    #[must_use]
    pub const fn router_icmp_limit(mut self, limit: IcmpLimit) -> Self {
        self.router_icmp_limit = limit;
        self
    }

    /// Answers under way at most; those past it are dropped and counted.
    #[must_use]
    pub const fn most_queued(mut self, answers: usize) -> Self {
        self.most_queued = answers;
        self
    }

    /// Bytes of the answers under way at most; those past it are dropped and counted.
    #[must_use]
    pub const fn most_queued_bytes(mut self, bytes: usize) -> Self {
        self.most_queued_bytes = bytes;
        self
    }

    /// Adds hosts. Where rules overlap, the one added first counts.
    #[must_use]
    pub fn hosts(mut self, rule: HostRule) -> Self {
        self.hosts.push(rule);
        self
    }

    /// The parts that this TOML describes; see the [crate's page](crate#toml).
    ///
    /// # Errors
    ///
    /// [`BuildError::Toml`] where the text is no TOML, or has unknown or wrong fields.
    pub fn from_toml(text: &str) -> Result<Self, BuildError> {
        Ok(toml::from_str(text)?)
    }

    /// The network.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoHosts`], [`BuildError::NoQueue`].
    pub fn build(self) -> Result<Network, BuildError> {
        if self.hosts.is_empty() {
            return Err(BuildError::NoHosts);
        }
        if self.most_queued == 0 || self.most_queued_bytes == 0 {
            return Err(BuildError::NoQueue);
        }
        let router = Router { v4: self.router, v6: self.router6, limit: self.router_icmp_limit };
        let schedule = Schedule::new(self.most_queued, self.most_queued_bytes);
        Ok(Network::new(self.seed, self.hosts, router, schedule))
    }
}

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The text does not describe one.
    #[error("the description of the network cannot be read")]
    Toml(#[from] toml::de::Error),
    /// Nothing would ever answer.
    #[error("a network without hosts: add at least one rule")]
    NoHosts,
    /// No answer could ever be under way.
    #[error(
        "a network that can queue no answer: `most_queued` and `most_queued_bytes` must be above zero"
    )]
    NoQueue,
}
