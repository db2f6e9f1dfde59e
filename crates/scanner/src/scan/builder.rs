//! The description of a scan.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ports_core::{PortSet, Transport};
use socket2::{Domain, Socket, Type};

use super::limits::socket_budget;
use super::{Scan, ScanError};
use crate::engine::EngineConfig;
use crate::plan::{BLOCK_LEN, ScanPlan};
use crate::progress::ScanHandle;
use crate::resolve::ResolvedTargets;
use crate::state::PortState;
use crate::target::{AddressSet, Family, reached_by};

/// Probes per second that one thread sends without effort.
const ONE_WORKER_RATE: u32 = 100_000;

/// Past that many separate runs the addresses are not named one by one in [`crate::ScanInfo`].
const MAX_RUNS_TOLD: usize = 65_536;

/// Describes a [`Scan`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ScanBuilder {
    addresses: AddressSet,
    excluded: AddressSet,
    names: HashMap<IpAddr, Arc<str>>,
    targets: Vec<String>,
    ports: PortSet,
    engine: EngineConfig,
    workers: Option<usize>,
    report: Vec<PortState>,
    source: Option<IpAddr>,
    seed: u64,
}

impl Default for ScanBuilder {
    fn default() -> Self {
        Self {
            addresses: AddressSet::new(),
            excluded: AddressSet::new(),
            names: HashMap::new(),
            targets: Vec::new(),
            ports: PortSet::new(),
            engine: EngineConfig::default(),
            workers: None,
            report: vec![PortState::Open],
            source: None,
            seed: 0,
        }
    }
}

impl ScanBuilder {
    /// Adds one address.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.addresses = self.addresses.union(&reached_by(address).into());
        self.targets.push(address.to_string());
        self
    }

    /// Adds resolved targets, and shows their hosts by the names they were given by. `texts` are the
    /// targets as the user wrote them, for reports.
    pub fn targets(mut self, resolved: ResolvedTargets, texts: Vec<String>) -> Self {
        self.addresses = self.addresses.union(&resolved.addresses);
        self.names.extend(resolved.names);
        self.targets.extend(texts);
        self
    }

    /// Leaves these addresses out, whoever asked for them.
    pub fn exclude(mut self, addresses: &AddressSet) -> Self {
        self.excluded = self.excluded.union(addresses);
        self
    }

    /// Adds ports.
    pub fn ports(mut self, ports: &PortSet) -> Self {
        self.ports = self.ports.union(ports);
        self
    }

    /// The longest wait for an answer; default [`EngineConfig::DEFAULT_TIMEOUT`].
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.engine.timeout = timeout;
        self
    }

    /// How often an unanswered probe is repeated; default [`EngineConfig::DEFAULT_RETRIES`].
    pub const fn retries(mut self, retries: u16) -> Self {
        self.engine.retries = retries;
        self
    }

    /// A ceiling in probes per second; by default the scan finds its pace itself.
    pub const fn rate(mut self, rate: u32) -> Self {
        self.engine.rate = Some(rate);
        self
    }

    /// Which verdicts become [`crate::ScanEvent::Port`] events; default: open only. All are counted.
    pub fn report(mut self, states: &[PortState]) -> Self {
        self.report = states.to_vec();
        self
    }

    /// The address probes are sent from; by default the system chooses.
    pub const fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// The seed of the order in which ports are asked; default 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Most sockets the scan may hold at once; default
    /// [`EngineConfig::DEFAULT_MAX_IN_FLIGHT`], and never more than the descriptor limit leaves.
    pub const fn max_in_flight(mut self, sockets: usize) -> Self {
        self.engine.max_in_flight = sockets;
        self
    }

    /// How many threads send; default: one for each processor, and no more than there is work for.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// [`ScanError::Plan`] where nothing is left to scan or it is too much, [`ScanError::Source`]
    /// where the source address is none of this machine's, [`ScanError::SourceFamily`] where it is of
    /// another family than a target.
    pub fn build(self) -> Result<Scan, ScanError> {
        if let Some(address) = self.source {
            check_source(address).map_err(|source| ScanError::Source { address, source })?;
        }
        let addresses = self.addresses.difference(&self.excluded);
        if let Some(address) = self.source {
            let other = addresses.only(if address.is_ipv4() { Family::V6 } else { Family::V4 });
            if !other.is_empty() {
                let target = other.index().address(0);
                return Err(ScanError::SourceFamily { address, target });
            }
        }
        let plan = ScanPlan::new(&addresses, &self.ports, Transport::Tcp, self.seed)?;
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let useful = usize::try_from(plan.len().div_ceil(BLOCK_LEN)).unwrap_or(usize::MAX);
        let budget = socket_budget().min(self.engine.max_in_flight);
        // One worker keeps up with such a ceiling, and none of it is lost when others are done.
        let paced = self.engine.rate.is_some_and(|rate| rate <= ONE_WORKER_RATE);
        let wanted = if paced { 1 } else { self.workers.unwrap_or_else(processors) };
        let workers = wanted.min(useful).min(budget).max(1);
        let mut engine = self.engine;
        engine.max_in_flight = (budget / workers).max(1);
        Ok(Scan {
            plan: Arc::new(plan),
            engine,
            workers,
            report: self.report,
            source: self.source,
            names: self.names,
            targets: self.targets.into(),
            ports: self.ports.to_string(),
            addresses: (addresses.run_count() <= MAX_RUNS_TOLD).then(|| addresses.to_string()),
            handle: ScanHandle::default(),
        })
    }
}

fn check_source(address: IpAddr) -> std::io::Result<()> {
    let local = SocketAddr::new(address, 0);
    Socket::new(Domain::for_address(local), Type::STREAM, None)?.bind(&local.into())
}
