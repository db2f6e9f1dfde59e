//! The worker threads of one pass over some work.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use super::collector::Collector;
use super::{Scan, ScanError};
use crate::connect::{ConnectDriver, DriverConfig, WorkSource};
use crate::engine::{Engine, EngineConfig, EngineEvent};
use crate::progress::ScanHandle;
use crate::state::{PortState, Tally};

/// Batches of findings between the workers and the caller; past that the workers wait.
const BATCHES_BUFFERED: usize = 64;

/// Hands out work; called by every worker.
pub(super) type NextWork<'a> = &'a (dyn Fn() -> Option<Range<u64>> + Sync);

impl Scan {
    /// Does all the work that `next` hands out, with that many workers. Returns the indices that were
    /// put off because they met a socket of our own.
    pub(super) fn pass(
        &self,
        workers: usize,
        driver: &DriverConfig,
        next: NextWork<'_>,
        collector: &mut Collector<'_>,
    ) -> Result<Vec<u64>, ScanError> {
        let stalled = AtomicBool::new(false);
        let (sender, batches) = sync_channel::<Vec<EngineEvent>>(BATCHES_BUFFERED);
        let engines = std::thread::scope(|scope| {
            let threads: Vec<io::Result<_>> = (0..workers)
                .map(|number| {
                    let worker = Worker {
                        next,
                        report: &self.report,
                        batch: Vec::new(),
                        sender: sender.clone(),
                        handle: &self.handle,
                        told: Tally::default(),
                        stalled: &stalled,
                    };
                    let share = 1.0 / workers as f64;
                    let config = EngineConfig { share, ..self.engine };
                    std::thread::Builder::new()
                        .name(format!("scan-{number}"))
                        .spawn_scoped(scope, move || self.work(config, driver, worker))
                })
                .collect();
            drop(sender);
            for batch in batches {
                for event in batch {
                    collector.event(event);
                }
            }
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .map_err(|source| ScanError::Worker { operation: "start a thread", source })
                        .and_then(|thread| match thread.join() {
                            Ok(result) => result,
                            Err(panic) => std::panic::resume_unwind(panic),
                        })
                })
                .collect::<Vec<_>>()
        });
        let mut deferred = Vec::new();
        let mut failed = None;
        for engine in engines {
            match engine {
                Ok(mut engine) => {
                    collector.add(&engine.tally());
                    deferred.extend(engine.take_deferred());
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => Err(error),
            None if stalled.into_inner() => Err(ScanError::OutOfResources),
            None => Ok(deferred),
        }
    }

    fn work(
        &self,
        config: EngineConfig,
        driver: &DriverConfig,
        mut worker: Worker<'_>,
    ) -> Result<Engine, ScanError> {
        let failed = |operation| move |source| ScanError::Worker { operation, source };
        let engine = Engine::new(Instant::now(), Arc::clone(&self.plan), config);
        let driver = ConnectDriver::new(engine, driver.clone()).map_err(failed("make a poller"))?;
        driver.run(&mut worker).map_err(failed("wait for sockets"))
    }
}

/// One worker's side of a pass.
struct Worker<'a> {
    next: NextWork<'a>,
    report: &'a [PortState],
    batch: Vec<EngineEvent>,
    sender: SyncSender<Vec<EngineEvent>>,
    handle: &'a ScanHandle,
    told: Tally,
    stalled: &'a AtomicBool,
}

impl WorkSource for Worker<'_> {
    fn next_work(&mut self) -> Option<Range<u64>> {
        (self.next)()
    }

    fn event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Port(report) if !self.report.contains(&report.state()) => {}
            EngineEvent::Stalled => self.stalled.store(true, Ordering::Relaxed),
            event => self.batch.push(event),
        }
    }

    fn flush(&mut self, engine: &Engine) {
        let tally = engine.tally();
        self.handle.add(tally.probes - self.told.probes, tally.open - self.told.open);
        self.told = tally;
        if !self.batch.is_empty() {
            // Only a caller that panicked no longer listens, and then the scan is over.
            let _ = self.sender.send(std::mem::take(&mut self.batch));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.handle.is_cancelled() || self.stalled.load(Ordering::Relaxed)
    }
}
