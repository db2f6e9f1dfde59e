//! The description of a scan.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ports_core::PortSet;
use socket2::{Domain, Socket, Type};

use super::ledger::CHECKPOINT_EVERY;
use super::limits::socket_budget;
use super::{Scan, ScanError};
use crate::block::{MAX_BLOCK_LEN, Shard};
use crate::engine::EngineConfig;
use crate::event::Method;
use crate::plan::ScanPlan;
use crate::progress::ScanHandle;
use crate::resolve::{ResolveError, ResolvedTargets, resolve};
use crate::resume::{Description, ResumeFile};
use crate::state::PortState;
use crate::target::{AddressSet, Family, TargetSpec, reached_by};
use crate::udp;

/// Probes per second that one thread sends without effort.
const ONE_WORKER_RATE: u32 = 100_000;
/// Ports under way of a scan by SYN: a second's worth at more than one machine sends.
const SYN_IN_FLIGHT: usize = 131_072;

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
    interface: Option<String>,
    max_in_flight: Option<usize>,
    seed: u64,
    method: Method,
    shard: Shard,
    resume: Option<PathBuf>,
    discover: bool,
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
            interface: None,
            max_in_flight: None,
            seed: 0,
            method: Method::Connect,
            shard: Shard::WHOLE,
            resume: None,
            discover: false,
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

    /// Adds targets, each name meaning every address it resolves to, of the `family` where one is
    /// given: [`resolve`] and [`targets`](Self::targets) in one. Blocks while the system's resolver
    /// works.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] names the first target that has no address.
    pub fn resolve(
        self,
        targets: &[TargetSpec],
        family: Option<Family>,
    ) -> Result<Self, ResolveError> {
        let texts = targets.iter().map(TargetSpec::to_string).collect();
        Ok(self.targets(resolve(targets, family)?, texts))
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

    /// How often an unanswered probe is repeated; by default as often as the loss that the scan
    /// meets asks for, see [`EngineConfig::retries`].
    pub const fn retries(mut self, retries: u16) -> Self {
        self.engine.retries = Some(retries);
        self
    }

    /// A ceiling in probes per second, at least 1; by default the scan finds its pace itself.
    pub const fn rate(mut self, rate: u32) -> Self {
        self.engine.rate = Some(rate);
        self
    }

    /// Which verdicts become [`crate::ScanEvent::Port`] events; default: open only. All are counted.
    pub fn show(mut self, states: &[PortState]) -> Self {
        self.report = states.to_vec();
        self
    }

    /// The address probes are sent from; by default the system chooses.
    pub const fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// The one interface, by its name, that probes leave by; by default the routes decide. Probes to
    /// this machine itself go by loopback all the same.
    pub fn interface(mut self, name: impl Into<String>) -> Self {
        self.interface = Some(name.into());
        self
    }

    /// How ports are asked; default [`Method::Connect`].
    pub const fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// The seed of the order in which ports are asked; default 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Scans but this share of the plan; default: all of it.
    pub const fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// Keeps what is done in the file at `path`, and goes on from there where it is there already. The file is
    /// opened, checked and taken by [`Self::build`]; [`Scan::resumed`] says how far it was. See
    /// [`crate::resume`].
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.resume = Some(path.into());
        self
    }

    /// Asks first who is there, and scans the ports of those only: by ARP or neighbour discovery on the
    /// link, and elsewhere by an echo request and the first packet of a handshake to ports 443, 80 and
    /// 22; without raw packets by connecting to these. Any answer counts, a refusal too. Default: off,
    /// every port is asked.
    pub const fn discover(mut self, discover: bool) -> Self {
        self.discover = discover;
        self
    }

    /// Most ports under way at once; default [`EngineConfig::DEFAULT_MAX_IN_FLIGHT`], over UDP 65,536,
    /// by SYN 131,072. Where each takes a socket, never more than the descriptor limit leaves.
    pub const fn max_in_flight(mut self, ports: usize) -> Self {
        self.max_in_flight = Some(ports);
        self
    }

    /// How many threads send; default: one for each processor, over UDP one, and no more than there is
    /// work for.
    pub const fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// A raw worker holds descriptors for as long as it works; all others take what there is.
    fn workers_that_fit(&self) -> usize {
        match self.method {
            #[cfg(all(feature = "raw", target_os = "linux"))]
            Method::Syn => socket_budget() / crate::raw::DESCRIPTORS_PER_WORKER,
            _ => usize::MAX,
        }
    }

    /// Checks the description.
    ///
    /// # Errors
    ///
    /// [`ScanError::Plan`] where nothing is left to scan or it is too much, [`ScanError::Source`]
    /// where the source address is none of this machine's, [`ScanError::SourceFamily`] where it is of
    /// another family than a target, [`ScanError::Interface`] where there is no such interface,
    /// [`ScanError::Resume`] where the resume file cannot be used, [`ScanError::DiscoverInParts`].
    pub fn build(self) -> Result<Scan, ScanError> {
        if let Some(address) = self.source {
            check_source(address).map_err(|source| ScanError::Source { address, source })?;
        }
        if let Some(name) = &self.interface {
            let unknown = |errno: nix::Error| ScanError::Interface {
                name: name.clone(),
                source: errno.into(),
            };
            nix::net::if_::if_nametoindex(name.as_str()).map_err(unknown)?;
        }
        let addresses = self.addresses.difference(&self.excluded);
        if let Some(address) = self.source {
            let other = addresses.only(if address.is_ipv4() { Family::Ipv6 } else { Family::Ipv4 });
            if !other.is_empty() {
                let target = other.index().address(0);
                return Err(ScanError::SourceFamily { address, target });
            }
        }
        if self.discover && (self.resume.is_some() || self.shard != Shard::WHOLE) {
            return Err(ScanError::DiscoverInParts);
        }
        let plan = ScanPlan::by(self.method, &addresses, &self.ports, self.seed)?;
        let processors = || match self.method {
            // What is learnt of a host is learnt by one worker, and one keeps up with any pace.
            Method::Udp => 1,
            _ => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let blocks = plan.blocks(self.shard);
        let useful = blocks.probes().div_ceil(MAX_BLOCK_LEN);
        let useful = usize::try_from(useful).unwrap_or(usize::MAX);
        let mut engine = self.engine;
        let most = |default| self.max_in_flight.unwrap_or(default).max(1);
        let budget = match self.method {
            Method::Connect => socket_budget().min(most(EngineConfig::DEFAULT_MAX_IN_FLIGHT)),
            // Probes share a few sockets.
            Method::Syn => {
                engine.late_answers = true;
                most(SYN_IN_FLIGHT)
            }
            Method::Udp => {
                engine.late_answers = true;
                engine.min_timeout = engine.min_timeout.max(udp::MIN_TIMEOUT);
                most(udp::MAX_IN_FLIGHT)
            }
        };
        // One worker keeps up with such a ceiling, and none of it is lost when others are done.
        let paced = self.engine.rate.is_some_and(|rate| rate <= ONE_WORKER_RATE);
        let wanted = if paced { 1 } else { self.workers.unwrap_or_else(processors) };
        let workers = wanted.min(useful).min(budget).min(self.workers_that_fit()).max(1);
        engine.max_in_flight = (budget / workers).max(1);
        let ports = self.ports.to_string();
        let open = |path: PathBuf| {
            let (method, targets) = (self.method, &self.targets);
            let scan = Description::new(&plan, &blocks, method, targets, &ports, &self.report);
            ResumeFile::open(&path, &scan, blocks)
        };
        let resume = self.resume.map(open).transpose()?;
        let resumed = resume.as_ref().and_then(ResumeFile::resumed);
        Ok(Scan {
            blocks,
            resume: resume.map(Mutex::new),
            resumed,
            discover: self.discover.then(|| addresses.clone()),
            checkpoint_every: CHECKPOINT_EVERY,
            plan: Arc::new(plan),
            method: self.method,
            engine,
            workers,
            report: self.report,
            source: self.source,
            interface: self.interface,
            names: self.names,
            targets: self.targets.into(),
            ports,
            addresses: (addresses.run_count() <= MAX_RUNS_TOLD).then(|| addresses.to_string()),
            handle: ScanHandle::default(),
        })
    }
}

fn check_source(address: IpAddr) -> std::io::Result<()> {
    let local = SocketAddr::new(address, 0);
    Socket::new(Domain::for_address(local), Type::STREAM, None)?.bind(&local.into())
}
