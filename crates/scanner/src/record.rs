//! A scan as a file tells it: what it covered, and what it found.

mod bounded;
mod jsonl;
mod nmap_xml;
mod part;
mod read;
mod states;
mod view;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ports_core::{Port, Transport};

use self::part::{Part, PartNumber};
pub use self::read::ReadRecordError;
use self::read::Refused;
pub use self::states::SeenStates;
pub(crate) use self::view::{HostView, View};

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
    /// Runs of addresses that the parts cover.
    runs: usize,
    /// The file ends in the middle.
    truncated: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct HostRecord {
    name: Option<Arc<str>>,
    /// The last part that has a line or a row of it.
    part: PartNumber,
    /// The last part that it answered.
    up: Option<PartNumber>,
    ports: BTreeMap<(Transport, Port), Row>,
    /// The states of its ports without a row, where a part says so for each host.
    unlisted: Option<(PartNumber, SeenStates)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    states: SeenStates,
    part: PartNumber,
}

impl ScanRecord {
    /// The most rows, hosts and runs of addresses a record holds.
    pub const MAX_ROWS: usize = 10_000_000;
    /// The most scans of one file.
    pub const MAX_SCANS: usize = 4_096;

    /// How many ports it lists.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many hosts answered, in any scan of the file.
    pub fn hosts_up(&self) -> usize {
        self.hosts.values().filter(|host| host.up.is_some()).count()
    }

    /// Why what is missing proves nothing, in words; `None` where every scan is whole and came to its
    /// end.
    pub fn unfinished(&self) -> Option<String> {
        if self.truncated {
            return Some("the file ends in the middle".to_owned());
        }
        if self.parts.is_empty() {
            return Some("the file does not say what was scanned".to_owned());
        }
        let cut = self.parts.iter().filter(|part| !part.is_complete());
        let ports: u64 = cut.clone().map(|part| part.unfinished).fold(0, u64::saturating_add);
        match (cut.count(), ports) {
            (0, _) => {
                let share =
                    self.parts.iter().map(|part| part.shard).find(|shard| !shard.is_whole());
                share.map(|shard| format!("it is shard {shard} of a scan"))
            }
            (_, 0) => Some("the scan did not come to its end".to_owned()),
            (_, ports) => Some(format!("the scan was cut short: {ports} ports have no verdict")),
        }
    }

    /// How many ports this machine could not ask, where the file does not list them.
    pub fn unlisted_errors(&self) -> u64 {
        let unlisted = |part: &&Part| part.unlisted.contains(SeenStates::ERROR);
        let errors = self.parts.iter().filter(unlisted).map(|part| part.errors);
        errors.fold(0, u64::saturating_add)
    }

    /// Whether both scanned the same targets, as far as they say so.
    pub(crate) fn has_targets_of(&self, other: &Self) -> bool {
        let targets =
            |record: &Self| record.parts.iter().map(|part| part.targets).collect::<Vec<_>>();
        targets(self) == targets(other)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.hosts.keys().copied()
    }

    /// The ports of a host that have a row.
    pub(crate) fn ports_of(&self, address: IpAddr) -> impl Iterator<Item = (Transport, Port)> + '_ {
        self.hosts.get(&address).into_iter().flat_map(|host| host.ports.keys().copied())
    }

    /// A scan begins: what is added from now on belongs to it.
    fn add_part(&mut self, part: Part) -> Result<(), Refused> {
        if self.parts.len() == Self::MAX_SCANS {
            return Err(Refused::TooManyScans);
        }
        let runs = part.addresses.as_ref().map_or(0, crate::AddressSet::run_count);
        if runs > self.room() {
            return Err(Refused::TooManyRows);
        }
        self.runs += runs;
        self.parts.push(part);
        Ok(())
    }

    /// The scan that is being read; 0 where none has begun.
    const fn part(&self) -> PartNumber {
        // At most MAX_SCANS.
        self.parts.len() as PartNumber
    }

    fn add_host(&mut self, address: IpAddr) -> Result<&mut HostRecord, Refused> {
        if self.room() == 0 && !self.hosts.contains_key(&address) {
            return Err(Refused::TooManyRows);
        }
        let part = self.part();
        let host = self.hosts.entry(address).or_default();
        host.part = part;
        Ok(host)
    }

    /// A row; a later one of the same port takes its place.
    fn add_row(
        &mut self,
        address: IpAddr,
        port: (Transport, Port),
        states: SeenStates,
    ) -> Result<(), Refused> {
        if self.room() == 0 {
            return Err(Refused::TooManyRows);
        }
        let part = self.part();
        let host = self.add_host(address)?;
        if states.is_an_answer() {
            host.up = Some(part);
        }
        if host.ports.insert(port, Row { states, part }).is_none() {
            self.rows += 1;
        }
        Ok(())
    }

    /// How many rows, hosts or runs there is room for.
    fn room(&self) -> usize {
        Self::MAX_ROWS.saturating_sub(self.rows + self.hosts.len() + self.runs)
    }
}

#[cfg(test)]
mod tests;
