//! Brings together what the workers find.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ports_core::Port;

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
    /// Hosts of the latest groups that were told: several workers may meet the same host.
    told: HashMap<IpAddr, u64>,
    latest_group: u64,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        plan: &'a ScanPlan,
        names: &'a HashMap<IpAddr, Arc<str>>,
        sink: &'a mut dyn FnMut(ScanEvent),
    ) -> Self {
        let tally = Tally::default();
        Self { plan, names, sink, tally, hosts_up: 0, told: HashMap::new(), latest_group: 0 }
    }

    /// One finding of a worker.
    pub(super) fn event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Port(report) => (self.sink)(ScanEvent::Port(report)),
            EngineEvent::HostUp { address, group, rtt } => self.host_up(address, group, rtt),
            EngineEvent::Stalled => {}
        }
    }

    /// The counts of a worker that is done.
    pub(super) const fn add(&mut self, tally: &Tally) {
        self.tally.add(tally);
    }

    /// Ports that met a socket of our own in every round.
    pub(super) fn give_up(&mut self, deferred: &[u64]) {
        let mut reader = PlanReader::new(self.plan);
        for index in deferred {
            let (_, target) = reader.read(self.plan, *index);
            self.tally.count(Reason::OwnSocket.state());
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
        if group > self.latest_group {
            self.latest_group = group;
            self.told.retain(|_, told| *told + 1 >= group);
        }
        if self.told.insert(address, group).is_none() {
            self.hosts_up += 1;
            let name = self.names.get(&address).cloned();
            (self.sink)(ScanEvent::Host(HostReport { address, name, rtt }));
        }
    }
}
