//! Host discovery: who is there is asked first, and only their ports are scanned.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ports_core::{Port, PortSet};

use super::limits::socket_budget;
use super::{Scan, ScanError};
use crate::event::{HostReport, Method, ScanEvent, ScanSummary};
use crate::plan::{PlanError, ScanPlan};
use crate::prober::{ECHO, Prober};
use crate::state::{PortReport, PortState, Reason, Tally};
use crate::target::AddressSet;

/// Ports that a host is likely to answer at, with a refusal at least: secure web, web, shell.
const LIKELY: [u16; 3] = [443, 80, 22];
/// Addresses that wait to be put into a set: it is sorted each time.
const BUFFERED: usize = 1 << 16;

/// Who is scanned after discovery.
#[derive(Debug, Default)]
struct Found {
    set: AddressSet,
    buffer: Vec<IpAddr>,
}

impl Found {
    fn insert(&mut self, address: IpAddr) {
        self.buffer.push(address);
        if self.buffer.len() >= BUFFERED {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let new: AddressSet = self.buffer.drain(..).collect();
        self.set = self.set.union(&new);
    }
}

impl Scan {
    /// Asks `everyone` whether they are there, and scans those who answered. A host that this machine
    /// could not ask is scanned as well: why is for its ports to say.
    pub(super) fn run_discovering(
        &self,
        everyone: &AddressSet,
        sink: &mut dyn FnMut(ScanEvent),
    ) -> Result<ScanSummary, ScanError> {
        let started = Instant::now();
        sink(ScanEvent::Started(self.info()));
        let (mut found, mut hosts_up) = (Found::default(), 0);
        let asked = self.ask_everyone(everyone, &mut |told| match told {
            Told::Up(host) => {
                found.insert(host.address);
                hosts_up += 1;
                sink(ScanEvent::Host(host));
            }
            Told::NotAsked(address) => found.insert(address),
            Told::Tick => sink(ScanEvent::Tick),
        });
        found.settle();
        let mut summary = self.cut_short(hosts_up);
        let result = asked.and_then(|survey| {
            summary.tally.sent = survey.tally.sent;
            summary.kernel_drops = survey.kernel_drops;
            if survey.unfinished > 0 {
                return Ok(());
            }
            let not_scanned = everyone.len().saturating_sub(found.set.len());
            summary.not_scanned = Some(u64::try_from(not_scanned).unwrap_or(u64::MAX));
            summary.unfinished = 0;
            if found.set.is_empty() {
                return Ok(());
            }
            self.scan_found(&found.set, &mut summary, sink)
        });
        summary.elapsed = started.elapsed();
        sink(ScanEvent::Finished(summary));
        result.map(|()| summary)
    }

    /// Scans the ports of those who are there, and adds that to `summary`.
    fn scan_found(
        &self,
        found: &AddressSet,
        summary: &mut ScanSummary,
        sink: &mut dyn FnMut(ScanEvent),
    ) -> Result<(), ScanError> {
        let ports: PortSet = self.plan.ports().iter().copied().collect();
        let scan = self.over(found, &ports, self.method, self.report.clone())?;
        let mut whole = None;
        let result = scan.run_with(&*scan.prober()?, &mut |event| match event {
            // The hosts have been told.
            ScanEvent::Started(_) | ScanEvent::Host(_) => {}
            ScanEvent::Finished(ports) => {
                whole = Some(ScanSummary {
                    hosts: summary.hosts,
                    hosts_up: summary.hosts_up,
                    not_scanned: summary.not_scanned,
                    kernel_drops: summary.kernel_drops + ports.kernel_drops,
                    tally: Tally { sent: summary.tally.sent + ports.tally.sent, ..ports.tally },
                    ..ports
                });
            }
            event => sink(event),
        });
        *summary = whole.unwrap_or(*summary);
        result.map(|_| ())
    }

    /// One pass over everyone with the questions of discovery.
    fn ask_everyone(
        &self,
        everyone: &AddressSet,
        tell: &mut dyn FnMut(Told),
    ) -> Result<ScanSummary, ScanError> {
        let (method, prober) = self.survey_prober()?;
        let mut ports: PortSet = LIKELY.map(Port::new).into_iter().collect();
        if method == Method::Syn {
            ports.insert(ECHO);
        }
        let shown = vec![PortState::Open, PortState::Closed, PortState::Error];
        let mut survey = self.over(everyone, &ports, method, shown)?;
        survey.engine.late_answers = method == Method::Syn;
        if method == Method::Connect {
            let sockets = (socket_budget() / survey.workers).max(1);
            survey.engine.max_in_flight = survey.engine.max_in_flight.min(sockets);
        }
        // The first answer of a host is told before the verdict that it brought.
        let mut answered: Option<HostReport> = None;
        let result = survey.run_with(&*prober, &mut |event| match event {
            ScanEvent::Host(host) => answered = Some(host),
            ScanEvent::Port(report) => {
                if let Some(host) = answered.take() {
                    let reason = (report.address == host.address).then_some(report.reason);
                    tell(Told::Up(HostReport { reason, ..host }));
                }
                if is_own_failure(&report) {
                    tell(Told::NotAsked(report.address));
                }
            }
            ScanEvent::Tick => tell(Told::Tick),
            _ => {}
        });
        if let Some(host) = answered.take() {
            tell(Told::Up(host));
        }
        result
    }

    fn survey_prober(&self) -> Result<(Method, Box<dyn Prober>), ScanError> {
        let links =
            crate::links::Links::read().map_err(|source| ScanError::Interfaces { source })?;
        let raw = match self.method {
            Method::Syn => true,
            Method::Connect => false,
            Method::Udp => super::syn_permitted().is_ok(),
        };
        if raw {
            Ok((Method::Syn, self.survey_by_packets(links)?))
        } else {
            Ok((Method::Connect, self.connect_prober(links)))
        }
    }

    /// The same scan of other hosts and ports.
    fn over(
        &self,
        addresses: &AddressSet,
        ports: &PortSet,
        method: Method,
        report: Vec<PortState>,
    ) -> Result<Self, PlanError> {
        let plan = ScanPlan::by(method, addresses, ports, self.plan.seed())?;
        Ok(Self {
            blocks: plan.blocks(self.blocks.shard()),
            plan: Arc::new(plan),
            resume: None,
            resumed: None,
            discover: None,
            checkpoint_every: self.checkpoint_every,
            method,
            engine: self.engine,
            workers: self.workers,
            report,
            source: self.source,
            interface: self.interface.clone(),
            names: self.names.clone(),
            targets: Arc::clone(&self.targets),
            ports: self.ports.clone(),
            addresses: self.addresses.clone(),
            handle: self.handle.clone(),
        })
    }

    /// What there is to say before a port was asked.
    fn cut_short(&self, hosts_up: u64) -> ScanSummary {
        ScanSummary {
            hosts: self.plan.hosts(),
            hosts_up,
            not_scanned: None,
            tally: Tally::default(),
            first_error: None,
            unfinished: self.blocks.probes(),
            kernel_drops: 0,
            elapsed: Duration::ZERO,
            method: self.method,
            resumed: false,
        }
    }
}

/// What discovery finds out.
enum Told {
    Up(HostReport),
    NotAsked(IpAddr),
    Tick,
}

/// Whether it was this machine that kept the question from the host. A neighbour that nobody answers
/// for is not there.
fn is_own_failure(report: &PortReport) -> bool {
    report.state() == PortState::Error && report.reason != Reason::NeighbourUnresolved
}
