//! What changed between two saved scans.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ports_core::{Port, Transport};

use crate::record::{HostView, ScanRecord, SeenStates, View};

/// The differences of two records, as far as they are proven: what one of the two did not scan, or did
/// not finish, is no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// By host; a host's own change before those of its ports.
    pub changes: Vec<ScanChange>,
    /// How many of each kind.
    pub counts: ChangeCounts,
}

/// How many differences of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChangeCounts {
    /// Ports that are open now.
    pub opened: u64,
    /// Ports that were open.
    pub closed: u64,
    /// Ports that went from one state to another, neither of them open.
    pub changed: u64,
    /// Hosts that answer now.
    pub hosts_up: u64,
    /// Hosts that answered.
    pub hosts_down: u64,
    /// Listed ports and hosts of which the other record says nothing.
    pub not_compared: u64,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScanChange {
    /// A host came or went.
    Host(HostChange),
    /// A port is in another state.
    Port(PortChange),
}

/// A host that answers in one record only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostChange {
    /// Its address.
    pub address: IpAddr,
    /// The name it was given by.
    pub name: Option<Arc<str>>,
    /// Whether it answers in the later record.
    pub up: bool,
    /// Whether the other scan asked it for certain.
    pub certain: bool,
}

/// A port that is in different states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PortChange {
    /// The host.
    pub address: IpAddr,
    /// The name it was given by.
    pub name: Option<Arc<str>>,
    /// The transport.
    pub transport: Transport,
    /// The port.
    pub port: Port,
    /// What it was.
    pub before: SeenStates,
    /// What it is.
    pub after: SeenStates,
    /// Whether it is another state for certain: `false` where one scan does not list it, and could not
    /// ask some ports, and where one scan met only the silence that `open|filtered` is.
    pub certain: bool,
}

/// One host in both records.
struct Host<'a> {
    address: IpAddr,
    was: HostView<'a>,
    is: HostView<'a>,
}

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The port is open now.
    Opened,
    /// The port was open.
    Closed,
    /// From one state to another, neither of them open.
    Changed,
    /// The host answers now.
    HostUp,
    /// The host answered.
    HostDown,
}

impl ChangeKind {
    /// The name, in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Changed => "changed",
            Self::HostUp => "host-up",
            Self::HostDown => "host-down",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl ScanChange {
    /// What it is.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::Host(HostChange { up: true, .. }) => ChangeKind::HostUp,
            Self::Host(_) => ChangeKind::HostDown,
            Self::Port(port) if port.after.is_open() => ChangeKind::Opened,
            Self::Port(port) if port.before.is_open() => ChangeKind::Closed,
            Self::Port(_) => ChangeKind::Changed,
        }
    }
}

impl Comparison {
    /// Compares two records.
    pub fn between(before: &ScanRecord, after: &ScanRecord) -> Self {
        let mut comparison = Self::default();
        // Where files do not say which addresses they cover, the same targets are the same addresses.
        let assumed = before.has_targets_of(after);
        let addresses: BTreeSet<IpAddr> = before.addresses().chain(after.addresses()).collect();
        for address in addresses {
            let host = Host {
                address,
                was: before.host(address, assumed),
                is: after.host(address, assumed),
            };
            comparison.host(&host);
            let ports: BTreeSet<_> =
                before.ports_of(address).chain(after.ports_of(address)).collect();
            for port in ports {
                comparison.port(&host, port);
            }
        }
        comparison
    }

    /// Whether no difference was found.
    pub fn is_same(&self) -> bool {
        self.changes.is_empty()
    }

    fn host(&mut self, host: &Host<'_>) {
        let up = host.is.is_up();
        if up == host.was.is_up() {
            return;
        }
        let (with, without) = if up { (&host.is, &host.was) } else { (&host.was, &host.is) };
        match without.was_asked() {
            Some(certain) => {
                let (address, name) = (host.address, with.name());
                self.add(ScanChange::Host(HostChange { address, name, up, certain }));
            }
            None => self.counts.not_compared += 1,
        }
    }

    fn port(&mut self, host: &Host<'_>, (transport, port): (Transport, Port)) {
        let view = |host: &HostView<'_>| host.port((transport, port));
        match (view(&host.was), view(&host.is)) {
            (
                View::In { states: was, certain: asked_before },
                View::In { states: is, certain: asked_after },
            ) => {
                if !was.may_be(is) {
                    let unproven = was.may_hide(is, transport);
                    self.add(ScanChange::Port(PortChange {
                        address: host.address,
                        name: host.is.name().or_else(|| host.was.name()),
                        transport,
                        port,
                        before: was,
                        after: is,
                        certain: asked_before && asked_after && !unproven,
                    }));
                }
            }
            // Could not be asked in either: nothing is known, nothing is left out.
            (View::Unknown, View::Unknown) => {}
            _ => self.counts.not_compared += 1,
        }
    }

    fn add(&mut self, change: ScanChange) {
        let count = match change.kind() {
            ChangeKind::Opened => &mut self.counts.opened,
            ChangeKind::Closed => &mut self.counts.closed,
            ChangeKind::Changed => &mut self.counts.changed,
            ChangeKind::HostUp => &mut self.counts.hosts_up,
            ChangeKind::HostDown => &mut self.counts.hosts_down,
        };
        *count += 1;
        self.changes.push(change);
    }
}

#[cfg(test)]
mod tests;
