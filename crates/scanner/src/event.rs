//! What a scan says while it runs, and when it is over.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ports_core::Transport;
use serde::{Deserialize, Serialize};

use crate::block::Shard;
use crate::state::{PortReport, PortState, Reason, Tally};

/// One thing a scan has to say.
///
/// Serialised it is the object of its JSON line ([`report::JsonlReport`](crate::report::JsonlReport)), told
/// apart by `type`: `scan`, `host`, `port`, `tick` (which has no line) and `summary`; so are
/// [`ScanInfo`], [`HostReport`], [`PortReport`] and [`ScanSummary`] by themselves.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ScanEvent {
    /// The scan begins.
    Started(ScanInfo),
    /// A host answered for the first time.
    Host(HostReport),
    /// The verdict on one port.
    Port(PortReport),
    /// Nothing more is known for now: what was kept back may be passed on. Comes as soon as all that
    /// is known has been told, and at least every 50 ms while the scan runs.
    Tick,
    /// The scan is over.
    Finished(ScanSummary),
}

/// How ports are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Method {
    /// A full handshake by the kernel.
    Connect,
    /// The first packet of a handshake, sent and answered past the kernel's TCP.
    Syn,
    /// A datagram that the service of the port is likely to answer.
    Udp,
}

impl Method {
    /// The transport of the ports it asks.
    pub const fn transport(self) -> Transport {
        match self {
            Self::Connect | Self::Syn => Transport::Tcp,
            Self::Udp => Transport::Udp,
        }
    }

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Syn => "syn",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is going to be scanned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ScanInfo {
    /// When it began.
    pub started: SystemTime,
    /// How ports are asked.
    pub method: Method,
    /// The transport of the ports.
    pub transport: Transport,
    /// The targets as given.
    pub targets: Arc<[String]>,
    /// The ports, as a spec.
    pub ports: String,
    /// The addresses, as [`crate::AddressSet`] prints them; `None` where that text would be too long.
    pub addresses: Option<String>,
    /// The verdicts that become [`ScanEvent::Port`] events; the others are only counted.
    pub shown: Vec<PortState>,
    /// How many addresses.
    pub hosts: u64,
    /// How many (address, port) pairs, of the shard alone.
    pub probes: u64,
    /// The seed of the order.
    pub seed: u64,
    /// The share of the plan that is scanned; `hosts` are those of the whole plan.
    pub shard: Shard,
}

/// A host that answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HostReport {
    /// Its address.
    pub address: IpAddr,
    /// The name it was given by, if it was.
    pub name: Option<Arc<str>>,
    /// The round-trip time of its first answer.
    pub rtt: Duration,
    /// What its first answer was, where it was asked by host discovery.
    pub reason: Option<Reason>,
}

/// What a scan did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ScanSummary {
    /// How many addresses were to be scanned.
    pub hosts: u64,
    /// How many of them answered.
    pub hosts_up: u64,
    /// How many did not answer host discovery, so that their ports were not asked; `None` without it,
    /// or where it did not come to its end.
    pub not_scanned: Option<u64>,
    /// Ports by verdict, and probes sent.
    pub tally: Tally,
    /// Why the first port that could not be asked was not; `None` where all were.
    pub first_error: Option<Reason>,
    /// How many (address, port) pairs got no verdict: the scan was cut short.
    pub unfinished: u64,
    /// Answers the kernel dropped before they were read; a connect scan has none.
    pub kernel_drops: u64,
    /// How long it took; of a resumed scan, this run of it.
    pub elapsed: Duration,
    /// How ports were asked.
    pub method: Method,
    /// Whether it went on from an earlier run, whose counts are in this summary.
    pub resumed: bool,
}
