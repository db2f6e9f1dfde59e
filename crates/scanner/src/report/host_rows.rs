//! What is held of each host until it is written: its rows, and the counts of what has no row.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::event::HostReport;
use crate::state::{PortReport, PortState, Reason};

/// Rows and hosts held at most.
pub(super) const MAX_HELD: usize = 100_000;

/// The hosts of a scan, in order of their addresses.
#[derive(Debug, Default)]
pub(super) struct HeldHosts {
    hosts: BTreeMap<IpAddr, HostRows>,
    held: usize,
    /// Some were given away before their scan was over: what is held of a host may not be all.
    parted: bool,
}

impl HeldHosts {
    /// A host answered.
    pub(super) fn up(&mut self, report: &HostReport, at: SystemTime) {
        let host = self.host(report.address, at);
        host.name.clone_from(&report.name);
        host.up = true;
        host.answer = report.reason.or(host.answer);
    }

    /// A verdict; `shown` has a row, the others are counted.
    pub(super) fn port(&mut self, report: &PortReport, shown: bool, at: SystemTime) {
        self.held += usize::from(shown);
        let host = self.host(report.address, at);
        host.last = at;
        if let Some(rtt) = report.rtt {
            host.answer.get_or_insert(report.reason);
            host.times.add(rtt);
        }
        if shown {
            host.rows.push(*report);
        } else {
            *host.rest.entry((report.state(), report.reason.name())).or_default() += 1;
            host.rest_reasons.insert(report.reason.name(), report.reason);
        }
    }

    /// Whether they are to be written now.
    pub(super) const fn are_many(&self) -> bool {
        self.held >= MAX_HELD
    }

    /// Whether there is something to say of a host: it has rows or answered, or may have in a part
    /// that was written before.
    pub(super) fn is_worth_telling(&self, host: &HostRows) -> bool {
        self.parted || host.is_up() || !host.rows.is_empty()
    }

    /// A scan is over, and with it its hosts.
    pub(super) const fn scan_is_over(&mut self) {
        self.parted = false;
    }

    /// Gives all of them away, rows in order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (IpAddr, HostRows)> + use<> {
        self.parted |= self.are_many();
        self.held = 0;
        std::mem::take(&mut self.hosts).into_iter().map(|(address, mut host)| {
            host.rows.sort_unstable_by_key(|row| (row.transport, row.port));
            (address, host)
        })
    }

    fn host(&mut self, address: IpAddr, at: SystemTime) -> &mut HostRows {
        let held = &mut self.held;
        self.hosts.entry(address).or_insert_with(|| {
            *held += 1;
            HostRows::new(at)
        })
    }
}

/// What is held of one host.
#[derive(Debug)]
pub(super) struct HostRows {
    pub(super) name: Option<Arc<str>>,
    /// Whether it was told as up.
    up: bool,
    /// When it was met first and last.
    pub(super) first: SystemTime,
    pub(super) last: SystemTime,
    /// What the first answer of one of its ports was.
    pub(super) answer: Option<Reason>,
    pub(super) rows: Vec<PortReport>,
    rest: BTreeMap<(PortState, &'static str), u64>,
    rest_reasons: BTreeMap<&'static str, Reason>,
    pub(super) times: RoundTrip,
}

/// Ports of one state without a row.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) state: PortState,
    pub(super) count: u64,
    pub(super) reasons: Vec<(Reason, u64)>,
}

impl HostRows {
    fn new(at: SystemTime) -> Self {
        Self {
            name: None,
            up: false,
            first: at,
            last: at,
            answer: None,
            rows: Vec::new(),
            rest: BTreeMap::new(),
            rest_reasons: BTreeMap::new(),
            times: RoundTrip::default(),
        }
    }

    /// Whether it answered.
    pub(super) const fn is_up(&self) -> bool {
        self.up || self.answer.is_some()
    }

    /// The ports without a row, by state.
    pub(super) fn rest(&self) -> Vec<Rest> {
        let mut all: Vec<Rest> = Vec::new();
        for (&(state, name), &count) in &self.rest {
            let reason = self.rest_reasons[name];
            match all.last_mut().filter(|rest| rest.state == state) {
                Some(rest) => {
                    rest.count += count;
                    rest.reasons.push((reason, count));
                }
                None => all.push(Rest { state, count, reasons: vec![(reason, count)] }),
            }
        }
        all
    }
}

/// Smoothed round-trip time and its variation, as in RFC 6298 section 2.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<(Duration, Duration)>,
}

impl RoundTrip {
    fn add(&mut self, rtt: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (rtt, rtt / 2),
            Some((srtt, rttvar)) => ((srtt * 7 + rtt) / 8, (rttvar * 3 + srtt.abs_diff(rtt)) / 4),
        });
    }

    /// Round-trip time, its variation, and the timeout that follows from them, in microseconds.
    pub(super) fn micros(self) -> Option<[u128; 3]> {
        let (srtt, rttvar) = self.smoothed?;
        Some([srtt, rttvar, srtt + rttvar * 4].map(|time| time.as_micros()))
    }
}
