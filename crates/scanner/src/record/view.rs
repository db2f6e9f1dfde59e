//! What a record says of one host and its ports.

use std::net::IpAddr;
use std::sync::Arc;

use ports_core::{Port, Transport};

use super::part::{Part, PartNumber};
use super::{HostRecord, ScanRecord, SeenStates};

/// What a record says of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// In one of these states; `certain` unless it may be that it could not be asked.
    In { states: SeenStates, certain: bool },
    /// Not scanned, not finished, not asked.
    Unknown,
}

/// What a record says of one host.
#[derive(Clone, Debug)]
pub(crate) struct HostView<'a> {
    record: &'a ScanRecord,
    host: Option<&'a HostRecord>,
    /// The scans that asked it, and prove by what they do not list; the latest first.
    asked: Vec<Asked<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    part: &'a Part,
    number: PartNumber,
    /// Whether the file says that it asked this host, or it is only assumed.
    said: bool,
    /// Whether the host has a line or a row in it.
    listed: bool,
}

impl ScanRecord {
    /// What it says of a host. Where the file does not say what was scanned, `assumed` is taken.
    pub(crate) fn host(&self, address: IpAddr, assumed: bool) -> HostView<'_> {
        let host = self.hosts.get(&address);
        let assumed = assumed || host.is_some();
        let parts =
            (1..=self.part()).zip(&self.parts).rev().filter(|(_, part)| part.proves_absence());
        let asked = parts.filter_map(|(number, part)| {
            let listed = host.is_some_and(|host| host.part == number);
            let covers = part.covers(address);
            let asked = Asked { part, number, said: covers.unwrap_or(listed), listed };
            covers.unwrap_or(assumed).then_some(asked)
        });
        HostView { record: self, host, asked: asked.collect() }
    }
}

impl HostView<'_> {
    /// The name it was given by.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.host?.name.clone()
    }

    /// Whether it answers, and no later scan of the same ports says that it does not.
    pub(crate) fn is_up(&self) -> bool {
        let Some(up) = self.host.and_then(|host| host.up) else { return false };
        let told = usize::from(up).checked_sub(1).and_then(|index| self.record.parts.get(index));
        let denies = |asked: &Asked<'_>| {
            asked.said
                && asked.part.errors == 0
                && told.is_some_and(|told| told.ports == asked.part.ports)
        };
        !self.asked.iter().take_while(|asked| asked.number > up).any(denies)
    }

    /// Whether a finished scan asked it, and whether it could; `None` where none did.
    pub(crate) fn was_asked(&self) -> Option<bool> {
        self.asked.first().map(|asked| asked.part.errors == 0)
    }

    /// What is said of a port: by its row, unless a later scan that asked it has none.
    pub(crate) fn port(&self, port: (Transport, Port)) -> View {
        let row = self.host.and_then(|host| host.ports.get(&port));
        let since = row.map_or(0, |row| row.part);
        let silent = self
            .asked
            .iter()
            .take_while(|asked| asked.number > since)
            .find(|asked| asked.has_port(port) && (row.is_none() || asked.said));
        match (silent, row) {
            (Some(asked), _) => self.unlisted(asked),
            (None, Some(row)) if !row.states.contains(SeenStates::ERROR) => {
                View::In { states: row.states, certain: true }
            }
            (None, _) => View::Unknown,
        }
    }

    fn unlisted(&self, asked: &Asked<'_>) -> View {
        let states = match self.host.and_then(|host| host.unlisted) {
            Some((number, of_host)) if number == asked.number => of_host,
            _ => asked.part.unlisted,
        };
        let may_be_error = states.contains(SeenStates::ERROR) && asked.part.errors > 0;
        match states.without(SeenStates::ERROR) {
            SeenStates::NONE => View::Unknown,
            states => View::In { states, certain: !may_be_error },
        }
    }
}

impl Asked<'_> {
    /// Whether it asked this port of the host. Of hosts that host discovery did not find it asked none,
    /// and those it found have a line.
    fn has_port(&self, port: (Transport, Port)) -> bool {
        (self.part.not_scanned == 0 || self.listed) && self.part.has_port(port)
    }
}
