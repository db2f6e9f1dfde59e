//! Brings together what the workers find.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ports_core::Port;

use crate::connect::OwnSockets;
use crate::engine::EngineEvent;
use crate::event::{HostReport, Method, ScanEvent, ScanSummary};
use crate::plan::{PlanReader, ScanPlan};
use crate::state::{PortReport, Reason, Tally};

/// Counts findings and tells them to the caller's sink.
pub(super) struct Collector<'a> {
    plan: &'a ScanPlan,
    names: &'a HashMap<IpAddr, Arc<str>>,
    sink: &'a mut dyn FnMut(ScanEvent),
    tally: Tally,
    hosts_up: u64,
    first_error: Option<Reason>,
    /// Hosts that were told, with their groups: several workers may meet the same host.
    told: HashMap<IpAddr, u64>,
    /// Groups before this one are done.
    oldest_group: u64,
    own: &'a OwnSockets,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        plan: &'a ScanPlan,
        names: &'a HashMap<IpAddr, Arc<str>>,
        own: &'a OwnSockets,
        sink: &'a mut dyn FnMut(ScanEvent),
    ) -> Self {
        Self {
            plan,
            names,
            sink,
            tally: Tally::default(),
            hosts_up: 0,
            first_error: None,
            told: HashMap::new(),
            oldest_group: 0,
            own,
        }
    }

    /// One finding of a worker.
    pub(super) fn event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Port(report) => (self.sink)(ScanEvent::Port(report)),
            EngineEvent::HostUp { address, group, rtt } => self.host_up(address, group, rtt),
            EngineEvent::Stalled => {}
        }
    }

    /// All that is known so far has been told.
    pub(super) fn tick(&mut self) {
        (self.sink)(ScanEvent::Tick);
    }

    /// The counts of a worker that is done.
    pub(super) const fn add(&mut self, tally: &Tally) {
        self.tally.add(tally);
    }

    /// Why a port could not be asked.
    pub(super) fn note_error(&mut self, reason: Option<Reason>) {
        self.first_error = self.first_error.or(reason);
    }

    /// Hosts of earlier groups will not be met again, except this machine's own addresses, whose
    /// ports may have been put off.
    pub(super) fn forget_groups_before(&mut self, group: u64) {
        if group > self.oldest_group {
            self.oldest_group = group;
            self.told.retain(|address, told| *told >= group || self.own.has_address(*address));
        }
    }

    /// Ports that met a socket of our own in every round.
    pub(super) fn give_up(&mut self, deferred: &[u64]) {
        let mut reader = PlanReader::new(self.plan);
        for index in deferred {
            let (_, target) = reader.read(self.plan, *index);
            self.tally.count(Reason::OwnSocket.state());
            self.note_error(Some(Reason::OwnSocket));
            (self.sink)(ScanEvent::Port(PortReport {
                address: target.ip(),
                port: Port::new(target.port()),
                transport: self.plan.transport(),
                reason: Reason::OwnSocket,
                rtt: None,
                attempts: 0,
            }));
        }
    }

    pub(super) fn finish(self, elapsed: Duration) -> ScanSummary {
        let summary = ScanSummary {
            hosts: self.plan.hosts(),
            hosts_up: self.hosts_up,
            first_error: self.first_error,
            tally: self.tally,
            unfinished: self.plan.len() - self.tally.probes,
            kernel_drops: 0,
            elapsed,
            method: Method::Connect,
        };
        (self.sink)(ScanEvent::Finished(summary));
        summary
    }

    fn host_up(&mut self, address: IpAddr, group: u64, rtt: Duration) {
        if self.told.insert(address, group).is_none() {
            self.hosts_up += 1;
            let name = self.names.get(&address).cloned();
            (self.sink)(ScanEvent::Host(HostReport { address, name, rtt }));
        }
    }
}
