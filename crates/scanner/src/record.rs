//! A scan as a file tells it: what it covered, and what it found.

mod bounded;
mod jsonl;
mod nmap_xml;
mod read;
mod states;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ports_core::{Port, PortSet, Transport};

pub use self::read::ReadRecordError;
pub use self::states::SeenStates;
use crate::target::AddressSet;

/// A saved scan: JSON lines or XML of this crate's reports, or nmap's XML.
///
/// ```
/// use scanner::{Comparison, ScanRecord};
///
/// let scan = r#"{"type":"scan","transport":"tcp","targets":["a"],"ports":"22,80","addresses":"192.0.2.7","show":["open"],"hosts":1}
/// {"type":"host","host":"192.0.2.7","name":null}
/// {"type":"port","host":"192.0.2.7","port":22,"transport":"tcp","state":"open"}
/// {"type":"summary","unfinished":0,"errors":0}
/// "#;
/// let before = ScanRecord::read("before.jsonl", scan.as_bytes())?;
/// let after = ScanRecord::read("after.jsonl", scan.replace(":22,\"tr", ":80,\"tr").as_bytes())?;
/// let comparison = Comparison::between(&before, &after);
/// assert_eq!((comparison.counts.opened, comparison.counts.closed), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanRecord {
    parts: Vec<Part>,
    hosts: BTreeMap<IpAddr, HostRecord>,
    rows: usize,
    /// The file ends in the middle.
    truncated: bool,
}

/// One scan of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part {
    /// What was scanned; `None` where the file does not say.
    addresses: Option<AddressSet>,
    /// The targets as they were given, and how many addresses they made.
    targets: (String, u64),
    ports: Vec<(Transport, PortSet)>,
    /// The states that ports without a row may have.
    unlisted: SeenStates,
    finished: bool,
    /// Pairs without a verdict.
    unfinished: u64,
    /// Ports that could not be asked.
    errors: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct HostRecord {
    name: Option<Arc<str>>,
    up: bool,
    ports: BTreeMap<(Transport, Port), SeenStates>,
    /// The states of its ports without a row, where the file says so for each host.
    unlisted: Option<SeenStates>,
}

/// What a record says of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// In one of these states; `certain` unless it may be that it could not be asked.
    In { states: SeenStates, certain: bool },
    /// Not scanned, not finished, not asked.
    Unknown,
}

impl ScanRecord {
    /// The most rows and hosts a record holds.
    pub const MAX_ROWS: usize = 10_000_000;

    /// How many ports it lists.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many hosts answered.
    pub fn hosts_up(&self) -> usize {
        self.hosts.values().filter(|host| host.up).count()
    }

    /// Why what is missing proves nothing, in words; `None` where every scan came to its end.
    pub fn unfinished(&self) -> Option<String> {
        if self.truncated {
            return Some("the file ends in the middle".to_owned());
        }
        if self.parts.is_empty() {
            return Some("the file does not say what was scanned".to_owned());
        }
        let cut = self.parts.iter().filter(|part| !part.is_complete());
        let ports: u64 = cut.clone().map(|part| part.unfinished).sum();
        match (cut.count(), ports) {
            (0, _) => None,
            (_, 0) => Some("the scan did not come to its end".to_owned()),
            (_, ports) => Some(format!("the scan was cut short: {ports} ports have no verdict")),
        }
    }

    /// How many ports this machine could not ask, where the file does not list them.
    pub fn unlisted_errors(&self) -> u64 {
        let unlisted = |part: &&Part| part.unlisted.contains(SeenStates::ERROR);
        self.parts.iter().filter(unlisted).map(|part| part.errors).sum()
    }

    /// Whether both scanned the same targets, as far as they say so.
    pub(crate) fn has_targets_of(&self, other: &Self) -> bool {
        let targets = |record: &Self| {
            record.parts.iter().map(|part| part.targets.clone()).collect::<Vec<_>>()
        };
        targets(self) == targets(other)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.hosts.keys().copied()
    }

    /// The ports of a host that have a row.
    pub(crate) fn ports_of(&self, address: IpAddr) -> impl Iterator<Item = (Transport, Port)> + '_ {
        self.hosts.get(&address).into_iter().flat_map(|host| host.ports.keys().copied())
    }

    pub(crate) fn name_of(&self, address: IpAddr) -> Option<Arc<str>> {
        self.hosts.get(&address)?.name.clone()
    }

    pub(crate) fn is_up(&self, address: IpAddr) -> bool {
        self.hosts.get(&address).is_some_and(|host| host.up)
    }

    /// Whether a finished scan asked the host, and whether it could; `None` where none did. Where the
    /// file does not say what was scanned, `assumed` is taken.
    pub(crate) fn asked_host(&self, address: IpAddr, assumed: bool) -> Option<bool> {
        let part = self
            .parts
            .iter()
            .rev()
            .find(|part| part.is_complete() && part.covers(address).unwrap_or(assumed))?;
        Some(part.errors == 0)
    }

    /// What it says of a port. `assumed` as in [`Self::asked_host`].
    pub(crate) fn view(&self, address: IpAddr, port: (Transport, Port), assumed: bool) -> View {
        let host = self.hosts.get(&address);
        if let Some(states) = host.and_then(|host| host.ports.get(&port)) {
            return if states.contains(SeenStates::ERROR) {
                View::Unknown
            } else {
                View::In { states: *states, certain: true }
            };
        }
        let asked = |part: &&Part| {
            part.is_complete()
                && part
                    .ports
                    .iter()
                    .any(|(transport, set)| *transport == port.0 && set.contains(port.1))
                && part.covers(address).unwrap_or(host.is_some() || assumed)
        };
        let Some(part) = self.parts.iter().rev().find(asked) else { return View::Unknown };
        let states = match host.and_then(|host| host.unlisted) {
            Some(of_host) => of_host,
            None => part.unlisted,
        };
        let may_be_error = states.contains(SeenStates::ERROR) && part.errors > 0;
        match states.without(SeenStates::ERROR) {
            SeenStates::NONE => View::Unknown,
            states => View::In { states, certain: !may_be_error },
        }
    }

    fn add_host(&mut self, address: IpAddr) -> Option<&mut HostRecord> {
        if !self.hosts.contains_key(&address) {
            self.rows_left()?;
        }
        Some(self.hosts.entry(address).or_default())
    }

    /// A row; a later one of the same port takes its place. `None` where there are too many.
    fn add_row(
        &mut self,
        address: IpAddr,
        port: (Transport, Port),
        states: SeenStates,
    ) -> Option<()> {
        self.rows_left()?;
        let host = self.add_host(address)?;
        host.up |= states.is_an_answer();
        if host.ports.insert(port, states).is_none() {
            self.rows += 1;
        }
        Some(())
    }

    fn rows_left(&self) -> Option<()> {
        (self.rows + self.hosts.len() < Self::MAX_ROWS).then_some(())
    }
}

impl Part {
    const fn is_complete(&self) -> bool {
        self.finished && self.unfinished == 0
    }

    /// Whether the address was scanned; `None` where the file does not say.
    fn covers(&self, address: IpAddr) -> Option<bool> {
        self.addresses.as_ref().map(|addresses| addresses.contains(address))
    }
}

#[cfg(test)]
mod tests;
