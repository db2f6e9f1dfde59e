//! The worker threads of one pass over some work.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::collector::Collector;
use super::{Scan, ScanError};
use crate::connect::{ConnectDriver, DriverConfig, WorkSource};
use crate::engine::{Engine, EngineConfig, EngineEvent};
use crate::progress::ScanHandle;
use crate::state::{PortState, Reason, Tally};

/// Batches of findings between the workers and the caller; past that the workers wait.
const BATCHES_BUFFERED: usize = 64;
/// The longest time without a [`crate::ScanEvent::Tick`].
const TICK: Duration = Duration::from_millis(50);

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
        let shared = Shared {
            stop: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            first_error: OnceLock::new(),
            oldest_groups: (0..workers).map(|_| AtomicU64::new(0)).collect(),
        };
        let shared = &shared;
        let (sender, batches) = sync_channel::<Vec<EngineEvent>>(BATCHES_BUFFERED);
        let engines = std::thread::scope(|scope| {
            let threads: Vec<io::Result<_>> = (0..workers)
                .map(|number| {
                    let worker = Worker {
                        number,
                        next,
                        report: &self.report,
                        batch: Vec::new(),
                        sender: sender.clone(),
                        handle: &self.handle,
                        told: Tally::default(),
                        shared,
                    };
                    let share = 1.0 / workers as f64;
                    let config = EngineConfig { share, ..self.engine };
                    std::thread::Builder::new()
                        .name(format!("scan-{number}"))
                        .spawn_scoped(scope, move || self.work(config, driver, worker))
                        .inspect_err(|_| shared.stop())
                })
                .collect();
            drop(sender);
            // Also where the caller's sink panics: nobody would hear the workers.
            let stop = StopOnDrop(shared);
            collect(&batches, shared, collector);
            std::mem::forget(stop);
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
        collector.note_error(shared.first_error.get().copied());
        match failed {
            Some(error) => Err(error),
            None if shared.stalled.load(Ordering::Relaxed) => Err(ScanError::OutOfResources),
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
        driver
            .run(&mut worker)
            .inspect_err(|_| worker.shared.stop())
            .map_err(failed("wait for sockets"))
    }
}

/// Tells what the workers find until the last of them is done.
fn collect(batches: &Receiver<Vec<EngineEvent>>, shared: &Shared, collector: &mut Collector<'_>) {
    let mut ticked = Instant::now();
    loop {
        let batch = match batches.try_recv() {
            Ok(batch) => batch,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                collector.tick();
                ticked = Instant::now();
                match batches.recv_timeout(TICK) {
                    Ok(batch) => batch,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        collector.forget_groups_before(shared.oldest_group());
        for event in batch {
            collector.event(event);
        }
        if ticked.elapsed() >= TICK {
            collector.tick();
            ticked = Instant::now();
        }
    }
}

/// What the workers of one pass tell each other.
struct Shared {
    /// The pass is to end.
    stop: AtomicBool,
    /// It ends for want of resources.
    stalled: AtomicBool,
    first_error: OnceLock<Reason>,
    /// By worker, see [`Engine::oldest_group`].
    oldest_groups: Vec<AtomicU64>,
}

impl Shared {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn oldest_group(&self) -> u64 {
        let oldest = self.oldest_groups.iter().map(|group| group.load(Ordering::Relaxed));
        oldest.min().unwrap_or(0)
    }
}

struct StopOnDrop<'a>(&'a Shared);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// One worker's side of a pass.
struct Worker<'a> {
    number: usize,
    next: NextWork<'a>,
    report: &'a [PortState],
    batch: Vec<EngineEvent>,
    sender: SyncSender<Vec<EngineEvent>>,
    handle: &'a ScanHandle,
    told: Tally,
    shared: &'a Shared,
}

impl WorkSource for Worker<'_> {
    fn next_work(&mut self) -> Option<Range<u64>> {
        (self.next)()
    }

    fn event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Port(report) => {
                if report.state() == PortState::Error {
                    self.shared.first_error.get_or_init(|| report.reason);
                }
                if self.report.contains(&report.state()) {
                    self.batch.push(event);
                }
            }
            EngineEvent::HostUp { .. } => self.batch.push(event),
            EngineEvent::Stalled => {
                self.shared.stalled.store(true, Ordering::Relaxed);
                self.shared.stop();
            }
        }
    }

    fn flush(&mut self, engine: &Engine) {
        let tally = engine.tally();
        self.handle.add(tally.probes - self.told.probes, tally.open - self.told.open);
        self.told = tally;
        let oldest = &self.shared.oldest_groups[self.number];
        oldest.store(engine.oldest_group(), Ordering::Relaxed);
        if !self.batch.is_empty() && self.sender.send(std::mem::take(&mut self.batch)).is_err() {
            self.shared.stop();
        }
    }

    fn is_cancelled(&self) -> bool {
        self.handle.is_cancelled() || self.shared.stop.load(Ordering::Relaxed)
    }
}
