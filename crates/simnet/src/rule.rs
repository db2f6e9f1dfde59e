//! Hosts by prefix: which of them are up, what their ports do, how far away they are.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use crate::behaviour::{Behaviour, Transport};
use crate::random::{falls_into, keyed};
use crate::{IcmpLimit, Path, PortList, Probability, RateLimit};

/// The hosts of one prefix. Every address of it is a host, the first and the last, too.
///
/// By itself all are up, every port is closed, the path is perfect.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRule {
    prefix: IpNet,
    #[serde(default = "all")]
    up: Probability,
    #[serde(default = "silent")]
    down: Behaviour,
    #[serde(default)]
    tcp: PortRule,
    #[serde(default)]
    udp: PortRule,
    #[serde(default = "answer")]
    ping: Behaviour,
    #[serde(default)]
    reset_limit: Option<RateLimit>,
    #[serde(default)]
    icmp_limit: IcmpLimit,
    #[serde(default = "default_ttl")]
    ttl: u8,
    #[serde(default)]
    path: Path,
    #[serde(default)]
    path_back: Option<Path>,
}

/// What the ports of one transport do.
///
/// Where a port stands in several lists, the first of them in this order counts: `silent`,
/// `prohibited`, `open`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortRule {
    open: PortList,
    open_share: Probability,
    silent: PortList,
    prohibited: PortList,
    others: Behaviour,
}

impl Default for PortRule {
    fn default() -> Self {
        Self {
            open: PortList::default(),
            open_share: Probability::ALWAYS,
            silent: PortList::default(),
            prohibited: PortList::default(),
            others: Behaviour::Refuse,
        }
    }
}

impl PortRule {
    /// Every port refuses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ports that answer.
    #[must_use]
    pub fn open(mut self, ports: PortList) -> Self {
        self.open = ports;
        self
    }

    /// On how many hosts each of the open ports really is; on the rest it does what the others do.
    /// Which hosts, the seed says.
    #[must_use]
    pub const fn open_share(mut self, share: Probability) -> Self {
        self.open_share = share;
        self
    }

    /// Ports that never answer.
    #[must_use]
    pub fn silent(mut self, ports: PortList) -> Self {
        self.silent = ports;
        self
    }

    /// Ports that the router lets nobody reach, and says so.
    #[must_use]
    pub fn prohibited(mut self, ports: PortList) -> Self {
        self.prohibited = ports;
        self
    }

    /// What the ports do that stand in no list.
    #[must_use]
    pub const fn others(mut self, behaviour: Behaviour) -> Self {
        self.others = behaviour;
        self
    }

    fn behaviour(&self, key: u64, host: IpAddr, port: u16) -> Behaviour {
        if self.silent.contains(port) {
            Behaviour::Silent
        } else if self.prohibited.contains(port) {
            Behaviour::Prohibited
        } else if self.open.contains(port)
            && falls_into(keyed(key, host, u64::from(port)), self.open_share)
        {
            Behaviour::Answer
        } else {
            self.others
        }
    }
}

impl HostRule {
    /// The hop limit of an answer as it arrives, where nothing else is said.
    pub const DEFAULT_TTL: u8 = 64;

    /// The hosts of this prefix.
    pub fn new(prefix: IpNet) -> Self {
        Self {
            prefix,
            up: all(),
            down: silent(),
            tcp: PortRule::default(),
            udp: PortRule::default(),
            ping: answer(),
            reset_limit: None,
            icmp_limit: IcmpLimit::LINUX,
            ttl: Self::DEFAULT_TTL,
            path: Path::PERFECT,
            path_back: None,
        }
    }

    /// How many of the hosts are up. Which ones, the seed says.
    #[must_use]
    pub const fn up(mut self, share: Probability) -> Self {
        self.up = share;
        self
    }

    /// What comes back from a host that is down: nothing, or the router's word.
    #[must_use]
    pub const fn down(mut self, behaviour: Behaviour) -> Self {
        self.down = behaviour;
        self
    }

    /// What TCP ports do.
    #[must_use]
    pub fn tcp(mut self, rule: PortRule) -> Self {
        self.tcp = rule;
        self
    }

    /// What UDP ports do.
    #[must_use]
    pub fn udp(mut self, rule: PortRule) -> Self {
        self.udp = rule;
        self
    }

    /// What a host that is up does with an echo request; anything but `Answer` is silence.
    #[must_use]
    pub const fn ping(mut self, behaviour: Behaviour) -> Self {
        self.ping = behaviour;
        self
    }

    /// The resets each host sends at most (BSD: `net.inet.icmp.icmplim`, 200 a second).
    #[must_use]
    pub const fn reset_limit(mut self, limit: RateLimit) -> Self {
        self.reset_limit = Some(limit);
        self
    }

    /// The ICMP errors each host sends at most.
    #[must_use]
    pub const fn icmp_limit(mut self, limit: IcmpLimit) -> Self {
        self.icmp_limit = limit;
        self
    }

    /// The hop limit of the answers as they arrive.
    #[must_use]
    pub const fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// The path to the hosts and, unless [`HostRule::path_back`] says otherwise, back.
    #[must_use]
    pub const fn path(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    /// The path back.
    #[must_use]
    pub const fn path_back(mut self, path: Path) -> Self {
        self.path_back = Some(path);
        self
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.prefix.contains(&address)
    }

    /// The paths there and back.
    pub(crate) fn paths(&self) -> (Path, Path) {
        (self.path, self.path_back.unwrap_or(self.path))
    }

    pub(crate) const fn limits(&self) -> (Option<RateLimit>, IcmpLimit) {
        (self.reset_limit, self.icmp_limit)
    }

    pub(crate) const fn answer_ttl(&self) -> u8 {
        self.ttl
    }

    pub(crate) fn is_up(&self, seed: u64, host: IpAddr) -> bool {
        falls_into(keyed(seed, host, UP), self.up)
    }

    /// What a host that is down sends, whatever it is asked.
    pub(crate) const fn when_down(&self) -> Behaviour {
        self.down
    }

    pub(crate) fn answers_ping(&self) -> bool {
        self.ping == Behaviour::Answer
    }

    /// What a port of a host does, down ones included.
    pub(crate) fn behaviour(
        &self,
        seed: u64,
        transport: Transport,
        host: IpAddr,
        port: u16,
    ) -> Behaviour {
        if !self.is_up(seed, host) {
            return self.down;
        }
        match transport {
            Transport::Tcp => self.tcp.behaviour(seed ^ TCP, host, port),
            Transport::Udp => self.udp.behaviour(seed ^ UDP, host, port),
        }
    }
}

/// Keys of independent choices: each past all ports, and different from the others.
const UP: u64 = 1 << 16;
const TCP: u64 = 1 << 32;
const UDP: u64 = 1 << 33;

const fn all() -> Probability {
    Probability::ALWAYS
}

const fn silent() -> Behaviour {
    Behaviour::Silent
}

const fn answer() -> Behaviour {
    Behaviour::Answer
}

const fn default_ttl() -> u8 {
    HostRule::DEFAULT_TTL
}
