//! Where a group is measured: this machine's loopback, or two hosts with a link.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Result;

use super::link::Link;
use super::listeners::Listeners;
use super::plan::Ports;
use super::programs::Job;
use super::witness::{Counter, Witness};

/// Where a group is measured.
pub(super) enum World {
    /// 127.0.0.1, with other programs' sockets beside ours.
    Loopback { ports: Ports, listeners: Listeners, open: BTreeSet<SocketAddrV4> },
    /// Two network namespaces that hold nothing but the bench.
    Link(Box<Link>),
}

impl World {
    /// Loopback with this many open ports.
    pub(super) fn loopback(ports: Ports, open: u32) -> Result<Self> {
        let listeners = Listeners::open(ports, open)?;
        let open = on_loopback(listeners.ports());
        Ok(Self::Loopback { ports, listeners, open })
    }

    /// What everyone is told to scan.
    pub(super) fn job(&self, rate: Option<u32>) -> Job<'_> {
        match self {
            Self::Loopback { ports, .. } => {
                Job { targets: Ipv4Addr::LOCALHOST.to_string(), ports: *ports, wire: None, rate }
            }
            Self::Link(link) => Job {
                targets: link.scene.targets(),
                ports: link.scene.ports,
                wire: Some(&link.wire),
                rate,
            },
        }
    }

    /// What stands before a command so that it runs there.
    pub(super) fn prefix(&self) -> Vec<String> {
        match self {
            Self::Loopback { .. } => Vec::new(),
            Self::Link(link) => link.near.prefix(),
        }
    }

    /// How many ports there are to ask.
    pub(super) fn asked(&self) -> u32 {
        match self {
            Self::Loopback { ports, .. } => ports.count(),
            Self::Link(link) => link.scene.asked(),
        }
    }

    /// What the bench holds open.
    pub(super) const fn open(&self) -> &BTreeSet<SocketAddrV4> {
        match self {
            Self::Loopback { open, .. } => open,
            Self::Link(link) => &link.open,
        }
    }

    /// What others hold open now.
    pub(super) fn others(&self) -> Result<BTreeSet<SocketAddrV4>> {
        match self {
            Self::Loopback { listeners, .. } => Ok(on_loopback(&listeners.others()?)),
            Self::Link(_) => Ok(BTreeSet::new()),
        }
    }

    /// Who counts what arrives. On loopback nobody: there the counter sees the answers, too.
    pub(super) fn witness(&self) -> Option<Witness> {
        match self {
            Self::Loopback { .. } => None,
            Self::Link(link) => {
                let all_open = link.scene.crowd.is_some();
                let counter = if all_open { Counter::Cookies } else { Counter::Packets };
                Some(Witness::start(link.far.id(), counter))
            }
        }
    }

    /// One line for the report.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Loopback { ports, open, .. } => {
                format!("{} ports of 127.0.0.1, {} open", ports.count(), open.len())
            }
            Self::Link(link) => link.scene.to_string(),
        }
    }
}

fn on_loopback(ports: &BTreeSet<u16>) -> BTreeSet<SocketAddrV4> {
    ports.iter().map(|&port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).collect()
}
