//! Brings together what the workers find.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ports_core::Port;

use super::ScanError;
use super::ledger::Ledger;
use super::pieces::Counted;
use crate::block::Blocks;
use crate::engine::EngineEvent;
use crate::event::{HostReport, ScanEvent, ScanSummary};
use crate::plan::{PlanReader, ScanPlan};
use crate::prober::{Prober, Worked};
use crate::resume::{ResumeFile, Stored};
use crate::state::{PortReport, PortState, Reason, Tally};

/// What a worker has to say.
#[derive(Debug)]
pub(super) enum Told {
    /// A finding.
    Event(EngineEvent),
    /// The piece of these indices is finished.
    Piece(Range<u64>, Counted),
    /// The verdict on a port that had been put off, and whether it is a finding.
    Late {
        /// The port's index.
        index: u64,
        /// The verdict.
        report: PortReport,
        /// Whether its state is one of those asked for.
        shown: bool,
    },
}

/// Counts findings and tells them to the caller's sink.
pub(super) struct Collector<'a> {
    plan: &'a ScanPlan,
    blocks: Blocks,
    names: &'a HashMap<IpAddr, Arc<str>>,
    sink: &'a mut dyn FnMut(ScanEvent),
    tally: Tally,
    hosts_up: u64,
    first_error: Option<Reason>,
    /// Hosts that were told, with their groups: several workers may meet the same host.
    told: HashMap<IpAddr, u64>,
    /// Groups before this one are done ...
    oldest_group: u64,
    /// ... but for ports of these hosts that earlier runs could not ask.
    asked_again: HashSet<IpAddr>,
    kernel_drops: u64,
    prober: &'a dyn Prober,
    resumed: bool,
    ledger: Option<Ledger<'a>>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        plan: &'a ScanPlan,
        blocks: Blocks,
        names: &'a HashMap<IpAddr, Arc<str>>,
        prober: &'a dyn Prober,
        sink: &'a mut dyn FnMut(ScanEvent),
    ) -> Self {
        Self {
            plan,
            blocks,
            names,
            sink,
            tally: Tally::default(),
            hosts_up: 0,
            first_error: None,
            told: HashMap::new(),
            oldest_group: 0,
            asked_again: HashSet::new(),
            kernel_drops: 0,
            prober,
            resumed: false,
            ledger: None,
        }
    }

    /// Takes over what earlier runs found, and tells it.
    pub(super) fn replay(&mut self, file: &ResumeFile) -> Result<(), ScanError> {
        let standing = file.standing();
        self.resumed = file.begun_earlier();
        self.tally = standing.tally;
        self.kernel_drops = standing.kernel_drops;
        self.first_error = standing.first_error;
        let mut reader = PlanReader::new(self.plan);
        let address_of = |index: &u64| reader.read(self.plan, *index).target.ip();
        self.asked_again = standing.deferred.iter().map(address_of).collect();
        let cell = standing.finished.first_missing(0);
        let next = (cell < self.blocks.cells()).then(|| self.blocks.indices(&(cell..cell + 1)));
        let group = next.map_or(u64::MAX, |cell| self.plan.group_of(cell.start));
        file.replay(self.plan.transport(), |stored| match stored {
            Stored::Host { address, group: of, rtt } => {
                self.host_up(address, of, rtt);
                // Else all of them would be held at once.
                if of < group && !self.may_meet_again(address) {
                    self.told.remove(&address);
                }
            }
            Stored::Port(report) => (self.sink)(ScanEvent::Port(report)),
        })?;
        Ok(())
    }

    /// From now on, what is done is kept.
    pub(super) fn keep(&mut self, ledger: Ledger<'a>) {
        self.ledger = Some(ledger);
    }

    /// One thing that a worker has to say.
    pub(super) fn tell(&mut self, told: Told) {
        match told {
            Told::Event(EngineEvent::Port { index, report }) => {
                (self.sink)(ScanEvent::Port(report));
                if let Some(ledger) = &mut self.ledger {
                    ledger.finding(index, &report);
                }
            }
            Told::Event(EngineEvent::HostUp { address, group, rtt }) => {
                if self.host_up(address, group, rtt)
                    && let Some(ledger) = &mut self.ledger
                {
                    ledger.host(address, group, rtt);
                }
            }
            Told::Event(EngineEvent::Stalled) => {}
            Told::Piece(piece, counted) => {
                if let Some(ledger) = &mut self.ledger {
                    ledger.piece(&piece, counted);
                }
            }
            Told::Late { index, report, shown } => {
                if shown {
                    (self.sink)(ScanEvent::Port(report));
                }
                if let Some(ledger) = &mut self.ledger {
                    ledger.judged_late(index, &report, shown);
                }
            }
        }
    }

    /// All that is known so far has been told.
    pub(super) fn tick(&mut self) -> Result<(), ScanError> {
        (self.sink)(ScanEvent::Tick);
        Ok(self.ledger.as_mut().map_or(Ok(()), Ledger::write_if_due)?)
    }

    /// The run is over: what is done is kept for the next.
    pub(super) fn close(&mut self) -> Result<(), ScanError> {
        Ok(self.ledger.as_mut().map_or(Ok(()), Ledger::close)?)
    }

    /// The counts of a worker that is done.
    pub(super) const fn add(&mut self, worked: &Worked) {
        self.tally.add(&worked.engine.tally());
        self.kernel_drops = self.kernel_drops.saturating_add(worked.kernel_drops);
        if let Some(ledger) = &mut self.ledger {
            ledger.kernel_drops(worked.kernel_drops);
        }
    }

    /// Why a port could not be asked.
    pub(super) fn note_error(&mut self, reason: Option<Reason>) {
        self.first_error = self.first_error.or(reason);
    }

    /// Hosts of earlier groups will not be met again, but for some.
    pub(super) fn forget_groups_before(&mut self, group: u64) {
        if group > self.oldest_group {
            self.oldest_group = group;
            let mut told = std::mem::take(&mut self.told);
            told.retain(|address, of| *of >= group || self.may_meet_again(*address));
            self.told = told;
        }
    }

    /// Whether there may be ports of `address` left when its group is done: this machine's own that
    /// were put off, or such as could not be asked.
    fn may_meet_again(&self, address: IpAddr) -> bool {
        self.asked_again.contains(&address) || self.prober.may_defer(address)
    }

    /// Ports that met a socket of our own in every round.
    pub(super) fn give_up(&mut self, deferred: &[u64], shown: &[PortState]) {
        let mut reader = PlanReader::new(self.plan);
        for index in deferred {
            let target = reader.read(self.plan, *index).target;
            self.tally.count(Reason::OwnSocket.state(self.plan.transport()));
            self.note_error(Some(Reason::OwnSocket));
            let report = PortReport {
                address: target.ip(),
                port: Port::new(target.port()),
                transport: self.plan.transport(),
                reason: Reason::OwnSocket,
                rtt: None,
                attempts: 0,
            };
            let shown = shown.contains(&report.state());
            self.tell(Told::Late { index: *index, report, shown });
        }
    }

    pub(super) fn finish(self, elapsed: Duration) -> ScanSummary {
        let summary = ScanSummary {
            hosts: self.plan.hosts(),
            hosts_up: self.hosts_up,
            not_scanned: None,
            first_error: self.first_error,
            tally: self.tally,
            unfinished: self.blocks.probes() - self.tally.probes,
            kernel_drops: self.kernel_drops,
            elapsed,
            method: self.prober.method(),
            resumed: self.resumed,
        };
        (self.sink)(ScanEvent::Finished(summary));
        summary
    }

    /// Whether it is up for the first time.
    fn host_up(&mut self, address: IpAddr, group: u64, rtt: Duration) -> bool {
        let new = self.told.insert(address, group).is_none();
        if new {
            self.hosts_up += 1;
            let name = self.names.get(&address).cloned();
            (self.sink)(ScanEvent::Host(HostReport { address, name, rtt, reason: None }));
        }
        new
    }
}
