//! A whole scan: plan, workers, events.

mod builder;
mod collector;
mod error;
mod limits;
mod small;
mod worker;

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

pub use builder::ScanBuilder;
use collector::Collector;
pub use error::ScanError;
pub use small::{scan_port, scan_range, scan_well_known};

use crate::connect::{DriverConfig, OwnSockets};
use crate::engine::EngineConfig;
use crate::event::{Method, ScanEvent, ScanInfo, ScanSummary};
use crate::links::Links;
use crate::plan::ScanPlan;
use crate::progress::ScanHandle;
use crate::state::PortState;

/// Rounds over ports that met a socket of our own; each round uses other sockets.
const DEFERRED_ROUNDS: usize = 32;

/// A scan, ready to run.
///
/// See the [crate] documentation for an example.
#[derive(Debug)]
pub struct Scan {
    plan: Arc<ScanPlan>,
    engine: EngineConfig,
    workers: usize,
    report: Vec<PortState>,
    source: Option<IpAddr>,
    names: HashMap<IpAddr, Arc<str>>,
    targets: Arc<[String]>,
    ports: String,
    addresses: Option<String>,
    handle: ScanHandle,
}

impl Scan {
    /// Starts to describe a scan.
    pub fn builder() -> ScanBuilder {
        ScanBuilder::default()
    }

    /// Watches and stops the scan from another thread.
    pub fn handle(&self) -> ScanHandle {
        self.handle.clone()
    }

    /// The plan.
    pub fn plan(&self) -> &ScanPlan {
        &self.plan
    }

    /// Scans, and calls `sink` with each event on this thread, as soon as it is known. Blocks until
    /// the scan is over or cancelled; a slow `sink` slows the scan down.
    ///
    /// # Errors
    ///
    /// [`ScanError`] where the scan could not begin, or could not go on. What was found by then has
    /// been told, a [`ScanEvent::Finished`] included.
    pub fn run(&self, mut sink: impl FnMut(ScanEvent)) -> Result<ScanSummary, ScanError> {
        let started = Instant::now();
        let links = Links::read().map_err(|source| ScanError::Interfaces { source })?;
        let own = Arc::new(OwnSockets::new(links.own_addresses().chain(self.source)));
        let driver =
            DriverConfig { own: Arc::clone(&own), links: Arc::new(links), source: self.source };
        self.handle.begin(self.plan.len());
        sink(ScanEvent::Started(self.info()));

        let mut collector = Collector::new(&self.plan, &self.names, &own, &mut sink);
        let result = self.run_passes(&driver, &mut collector);
        let summary = collector.finish(started.elapsed());
        result.map(|()| summary)
    }

    fn run_passes(
        &self,
        driver: &DriverConfig,
        collector: &mut Collector<'_>,
    ) -> Result<(), ScanError> {
        let blocks = AtomicU64::new(0);
        let next_block = || {
            let number = blocks.fetch_add(1, Ordering::Relaxed);
            (number < self.plan.blocks()).then(|| self.plan.block(number))
        };
        let mut deferred = self.pass(self.workers, driver, &next_block, collector)?;
        for _ in 0..DEFERRED_ROUNDS {
            if deferred.is_empty() || self.handle.is_cancelled() {
                return Ok(());
            }
            // All probe sockets are closed by now, and one worker holds few ports: what is put off
            // again is less in each round.
            let indices = Mutex::new(deferred.into_iter());
            let next_index = || -> Option<Range<u64>> {
                let index = indices.lock().unwrap_or_else(PoisonError::into_inner).next();
                index.map(|index| index..index + 1)
            };
            deferred = self.pass(1, driver, &next_index, collector)?;
        }
        collector.give_up(&deferred);
        Ok(())
    }

    fn info(&self) -> ScanInfo {
        ScanInfo {
            started: SystemTime::now(),
            method: Method::Connect,
            transport: self.plan.transport(),
            targets: Arc::clone(&self.targets),
            ports: self.ports.clone(),
            addresses: self.addresses.clone(),
            shown: self.report.clone(),
            hosts: self.plan.hosts(),
            probes: self.plan.len(),
            seed: self.plan.seed(),
        }
    }
}

#[cfg(test)]
mod tests;
