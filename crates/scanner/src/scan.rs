//! A whole scan: plan, workers, events.

mod builder;
mod collector;
mod discovery;
mod error;
mod ledger;
mod limits;
mod pieces;
mod small;
mod syn;
mod worker;

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub use builder::ScanBuilder;
use collector::Collector;
pub use error::ScanError;
use ledger::{CHECKPOINT_EVERY, Ledger};
use pieces::PieceQueue;
pub use small::{scan_port, scan_range, scan_well_known};
pub use syn::syn_permitted;
use worker::Work;

use crate::block::{Blocks, MAX_BLOCK_LEN};
use crate::connect::ConnectProber;
use crate::engine::EngineConfig;
use crate::event::{Method, ScanEvent, ScanInfo, ScanSummary};
use crate::links::Links;
use crate::plan::ScanPlan;
use crate::prober::Prober;
use crate::progress::ScanHandle;
use crate::resume::{ResumeFile, Resumed, Standing};
use crate::state::PortState;
use crate::target::AddressSet;
use crate::udp::UdpProber;

/// Rounds over ports that met a socket of our own; each round uses other sockets.
const DEFERRED_ROUNDS: usize = 32;

/// A scan, ready to run.
///
/// See the [crate] documentation for an example.
#[derive(Debug)]
pub struct Scan {
    plan: Arc<ScanPlan>,
    blocks: Blocks,
    resume: Option<Mutex<ResumeFile>>,
    /// What earlier runs had done when the file was opened.
    resumed: Option<Resumed>,
    /// Who is to be asked first whether they are there.
    discover: Option<AddressSet>,
    /// How long what is done may stay out of the resume file.
    checkpoint_every: Duration,
    method: Method,
    engine: EngineConfig,
    workers: usize,
    report: Vec<PortState>,
    source: Option<IpAddr>,
    interface: Option<String>,
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

    /// What earlier runs had done when the scan was built; `None` where it begins, or has no resume file.
    pub const fn resumed(&self) -> Option<Resumed> {
        self.resumed
    }

    /// Scans, and calls `sink` with each event on this thread, as soon as it is known. Blocks until
    /// the scan is over or cancelled; a slow `sink` slows the scan down, and one that panics stops it. What
    /// earlier runs found, by the resume file, is told first. A scan with a resume file runs once at a
    /// time: a second call waits for the first, and a call from `sink` would wait for itself.
    ///
    /// # Errors
    ///
    /// [`ScanError`] where the scan could not begin, or could not go on. What was found by then has
    /// been told, a [`ScanEvent::Finished`] included.
    pub fn run(&self, mut sink: impl FnMut(ScanEvent)) -> Result<ScanSummary, ScanError> {
        match &self.discover {
            Some(everyone) => self.run_discovering(everyone, &mut sink),
            None => self.run_with(&*self.prober()?, &mut sink),
        }
    }

    fn prober(&self) -> Result<Box<dyn Prober>, ScanError> {
        let links = Links::read().map_err(|source| ScanError::Interfaces { source })?;
        Ok(match self.method {
            Method::Connect => self.connect_prober(links),
            Method::Syn => self.syn_prober(links)?,
            Method::Udp => Box::new(UdpProber::new(links, self.source, self.interface.as_deref())),
        })
    }

    fn connect_prober(&self, links: Links) -> Box<dyn Prober> {
        Box::new(ConnectProber::new(links, self.source, self.interface.as_deref()))
    }

    fn run_with(
        &self,
        prober: &dyn Prober,
        sink: &mut dyn FnMut(ScanEvent),
    ) -> Result<ScanSummary, ScanError> {
        let started = Instant::now();
        let mut file =
            self.resume.as_ref().map(|file| file.lock().unwrap_or_else(PoisonError::into_inner));
        let standing = file.as_ref().map(|file| file.standing().clone()).unwrap_or_default();
        self.handle.begin(self.blocks.probes(), &standing.tally);
        sink(ScanEvent::Started(self.info()));

        let mut collector = Collector::new(&self.plan, self.blocks, &self.names, prober, sink);
        let replayed = file.as_mut().map_or(Ok(()), |file| {
            collector.replay(file)?;
            collector.keep(Ledger::new(file, &self.handle, self.blocks, self.checkpoint_every));
            Ok(())
        });
        let result = replayed.and_then(|()| self.run_passes(prober, standing, &mut collector));
        let kept = collector.close();
        let summary = collector.finish(started.elapsed());
        result.and(kept).map(|()| summary)
    }

    fn run_passes(
        &self,
        prober: &dyn Prober,
        standing: Standing,
        collector: &mut Collector<'_>,
    ) -> Result<(), ScanError> {
        let began = Instant::now();
        let pieces = PieceQueue::new(self.blocks, standing.finished);
        let next_piece = || {
            if self.resume.is_none() {
                return pieces.next(MAX_BLOCK_LEN);
            }
            // What is sent until it is finished and kept is what a crash would cost.
            let pace = self.handle.sent() as f64 / began.elapsed().as_secs_f64();
            pieces.next((pace * CHECKPOINT_EVERY.as_secs_f64()) as u64)
        };
        let mut deferred =
            self.pass(self.workers, prober, &Work::Pieces(&next_piece), collector)?;
        deferred.extend(standing.deferred);
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
            deferred = self.pass(1, prober, &Work::Deferred(&next_index), collector)?;
        }
        collector.give_up(&deferred, &self.report);
        Ok(())
    }

    fn info(&self) -> ScanInfo {
        ScanInfo {
            started: SystemTime::now(),
            method: self.method,
            transport: self.plan.transport(),
            targets: Arc::clone(&self.targets),
            ports: self.ports.clone(),
            addresses: self.addresses.clone(),
            shown: self.report.clone(),
            hosts: self.plan.hosts(),
            probes: self.blocks.probes(),
            seed: self.plan.seed(),
            shard: self.blocks.shard(),
        }
    }
}

#[cfg(test)]
mod tests;
