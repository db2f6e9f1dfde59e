//! One scan of a file: what it covered, and how it ended.

use std::net::IpAddr;

use ports_core::{Port, PortSet, Transport};

use super::SeenStates;
use crate::block::Shard;
use crate::digest::Digest;
use crate::target::AddressSet;

/// Which scan of a file, from 1; 0 is what stands before the first.
pub(super) type PartNumber = u16;

/// One scan of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// What was scanned; `None` where the file does not say.
    pub(super) addresses: Option<AddressSet>,
    /// The targets as they were given, and how many addresses they made.
    pub(super) targets: (Digest, u64),
    pub(super) ports: Vec<(Transport, PortSet)>,
    /// Which share of its ports and addresses was asked.
    pub(super) shard: Shard,
    /// The states that ports without a row may have.
    pub(super) unlisted: SeenStates,
    pub(super) finished: bool,
    /// Pairs without a verdict.
    pub(super) unfinished: u64,
    /// Ports that could not be asked.
    pub(super) errors: u64,
    /// Hosts that host discovery did not find, so that their ports were not asked.
    pub(super) not_scanned: u64,
}

impl Part {
    pub(super) const fn is_complete(&self) -> bool {
        self.finished && self.unfinished == 0
    }

    /// Whether what it does not list was asked.
    pub(super) const fn proves_absence(&self) -> bool {
        self.is_complete() && self.shard.is_whole()
    }

    /// Whether the address was scanned; `None` where the file does not say.
    pub(super) fn covers(&self, address: IpAddr) -> Option<bool> {
        self.addresses.as_ref().map(|addresses| addresses.contains(address))
    }

    pub(super) fn has_port(&self, (transport, port): (Transport, Port)) -> bool {
        self.ports.iter().any(|(of, set)| *of == transport && set.contains(port))
    }

    /// More ports to scan: one set for each transport.
    pub(super) fn add_ports(&mut self, transport: Transport, ports: PortSet) {
        match self.ports.iter_mut().find(|(of, _)| *of == transport) {
            Some((_, set)) => *set |= &ports,
            None => self.ports.push((transport, ports)),
        }
    }
}
