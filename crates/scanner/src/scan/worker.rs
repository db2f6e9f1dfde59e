//! The worker threads of one pass over some work.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::collector::{Collector, Told};
use super::pieces::PieceCounts;
use super::{Scan, ScanError};
use crate::engine::{Engine, EngineConfig, EngineEvent};
use crate::prober::{ProbeError, Prober, WorkSource, Worked, tell};
use crate::progress::ScanHandle;
use crate::state::{PortState, Reason, Tally};

/// Batches of findings between the workers and the caller; past that the workers wait.
pub(super) const BATCHES_BUFFERED: usize = 64;
/// The longest time without a [`crate::ScanEvent::Tick`].
const TICK: Duration = Duration::from_millis(50);

/// Hands out work; called by every worker.
pub(super) type NextWork<'a> = &'a (dyn Fn() -> Option<Range<u64>> + Sync);

/// The work of a pass.
#[derive(Clone, Copy)]
pub(super) enum Work<'a> {
    /// Pieces of blocks.
    Pieces(NextWork<'a>),
    /// Ports that were put off, one by one.
    Deferred(NextWork<'a>),
}

impl Scan {
    /// Does all the `work`, with that many workers. Returns the indices that were
    /// put off because they met a socket of our own.
    pub(super) fn pass(
        &self,
        workers: usize,
        prober: &dyn Prober,
        work: &Work<'_>,
        collector: &mut Collector<'_>,
    ) -> Result<Vec<u64>, ScanError> {
        let shared = Shared {
            stop: AtomicBool::new(false),
            stalled: OnceLock::new(),
            first_error: OnceLock::new(),
        };
        let shared = &shared;
        let counted = self.resume.is_some() && matches!(work, Work::Pieces(_));
        let (sender, batches) = sync_channel::<Batch>(BATCHES_BUFFERED);
        let (results, kept) = std::thread::scope(|scope| {
            // Gone where the sink panics: a worker that finds no room would wait for ever, and be waited
            // for.
            let batches = batches;
            let threads: Vec<io::Result<_>> = (0..workers)
                .map(|number| {
                    let worker = Worker {
                        number,
                        work: *work,
                        pieces: counted.then(PieceCounts::default),
                        deferred: Vec::new(),
                        report: &self.report,
                        batch: Vec::new(),
                        last_error: Reason::NoResources,
                        oldest_group: 0,
                        sender: sender.clone(),
                        handle: &self.handle,
                        told: Tally::default(),
                        shared,
                    };
                    let share = 1.0 / workers as f64;
                    let config = EngineConfig { share, ..self.engine };
                    std::thread::Builder::new()
                        .name(format!("scan-{number}"))
                        .spawn_scoped(scope, move || {
                            // Where one worker panics, the others need not finish.
                            let stop = StopOnDrop(shared);
                            let worked = self.work(config, prober, worker);
                            std::mem::forget(stop);
                            worked
                        })
                        .inspect_err(|_| shared.stop())
                })
                .collect();
            drop(sender);
            // Also where the caller's sink panics: nobody would hear the workers.
            let stop = StopOnDrop(shared);
            let kept = collect(&batches, workers, shared, collector);
            std::mem::forget(stop);
            let results = threads
                .into_iter()
                .map(|thread| {
                    thread
                        .map_err(|source| ScanError::Worker { operation: "start a thread", source })
                        .and_then(|thread| match thread.join() {
                            Ok(result) => result,
                            Err(panic) => std::panic::resume_unwind(panic),
                        })
                })
                .collect::<Vec<_>>();
            (results, kept)
        });
        let mut deferred = Vec::new();
        let mut failed = None;
        for worked in results {
            match worked {
                Ok((worked, put_off)) => {
                    collector.add(&worked);
                    deferred.extend(put_off);
                }
                Err(error) => failed = Some(error),
            }
        }
        collector.note_error(shared.first_error.get().copied());
        match failed.or(kept.err()) {
            Some(error) => Err(error),
            None => match shared.stalled.get() {
                Some(Reason::NoResources) => Err(ScanError::OutOfResources),
                Some(reason) => Err(ScanError::NothingLeaves { reason: *reason }),
                None => Ok(deferred),
            },
        }
    }

    fn work(
        &self,
        config: EngineConfig,
        prober: &dyn Prober,
        mut worker: Worker<'_>,
    ) -> Result<(Worked, Vec<u64>), ScanError> {
        let mut engine = Engine::new(Instant::now(), Arc::clone(&self.plan), config);
        engine.expect(self.blocks.probes());
        let worked = prober.run(engine, &mut worker);
        let mut worked = worked.map_err(|ProbeError { operation, source }| {
            worker.shared.stop();
            ScanError::Worker { operation, source }
        })?;
        tell(&mut worked.engine, &mut worker);
        // The others must not wait for it to be done with a group.
        worker.pass_on(u64::MAX);
        Ok((worked, worker.deferred))
    }
}

/// Tells what the workers find until the last of them is done. Stops them where that cannot be kept.
fn collect(
    batches: &Receiver<Batch>,
    workers: usize,
    shared: &Shared,
    collector: &mut Collector<'_>,
) -> Result<(), ScanError> {
    let mut kept = Ok(());
    let mut ticked = Instant::now();
    let mut oldest_groups = HashMap::new();
    loop {
        let mut batch = batches.try_recv();
        // A tick before each wait: what was just found is not held back by it.
        if matches!(batch, Err(TryRecvError::Empty)) || ticked.elapsed() >= TICK {
            if let Err(error) = collector.tick() {
                kept = kept.and(Err(error));
                shared.stop();
            }
            ticked = Instant::now();
        }
        if matches!(batch, Err(TryRecvError::Empty)) {
            batch = match batches.recv_timeout(TICK) {
                Ok(batch) => Ok(batch),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => Err(TryRecvError::Disconnected),
            };
        }
        let Ok(batch) = batch else { return kept };
        for told in batch.told {
            collector.tell(told);
        }
        // Only now: what a worker says of hosts comes before it says that it is done with them.
        oldest_groups.insert(batch.worker, batch.oldest_group);
        if oldest_groups.len() == workers
            && let Some(oldest) = oldest_groups.values().min()
        {
            collector.forget_groups_before(*oldest);
        }
    }
}

/// What the workers of one pass tell each other.
struct Shared {
    /// The pass is to end.
    stop: AtomicBool,
    /// It ends for want of this.
    stalled: OnceLock<Reason>,
    first_error: OnceLock<Reason>,
}

/// What a worker has to say, and which groups it is done with then.
struct Batch {
    worker: usize,
    told: Vec<Told>,
    /// See [`Engine::oldest_group`].
    oldest_group: u64,
}

impl Shared {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
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
    work: Work<'a>,
    /// Where it is kept what is done.
    pieces: Option<PieceCounts>,
    deferred: Vec<u64>,
    report: &'a [PortState],
    batch: Vec<Told>,
    /// Of the last port that could not be asked.
    last_error: Reason,
    /// As last told.
    oldest_group: u64,
    sender: SyncSender<Batch>,
    handle: &'a ScanHandle,
    told: Tally,
    shared: &'a Shared,
}

impl Worker<'_> {
    /// Tells what is to be told, and that no host of a group before `oldest_group` will follow.
    fn pass_on(&mut self, oldest_group: u64) {
        if self.batch.is_empty() && oldest_group == self.oldest_group {
            return;
        }
        self.oldest_group = oldest_group;
        let told = std::mem::take(&mut self.batch);
        if self.sender.send(Batch { worker: self.number, told, oldest_group }).is_err() {
            self.shared.stop();
        }
    }
}

impl WorkSource for Worker<'_> {
    fn next_work(&mut self) -> Option<Range<u64>> {
        let (Work::Pieces(next) | Work::Deferred(next)) = self.work;
        let work = next()?;
        if let Some(pieces) = &mut self.pieces {
            pieces.begin(&work);
        }
        Some(work)
    }

    fn event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Port { index, report } => {
                if report.state() == PortState::Error {
                    self.shared.first_error.get_or_init(|| report.reason);
                    self.last_error = report.reason;
                }
                let shown = self.report.contains(&report.state());
                if matches!(self.work, Work::Deferred(_)) {
                    self.batch.push(Told::Late { index, report, shown });
                    return;
                }
                if shown {
                    self.batch.push(Told::Event(event));
                }
                let finished =
                    self.pieces.as_mut().and_then(|pieces| pieces.judged(index, &report));
                self.batch.extend(finished.map(|(piece, counted)| Told::Piece(piece, counted)));
            }
            EngineEvent::HostUp { .. } => self.batch.push(Told::Event(event)),
            EngineEvent::Stalled => {
                self.shared.stalled.get_or_init(|| self.last_error);
                self.shared.stop();
            }
        }
    }

    fn deferred(&mut self, mut indices: Vec<u64>) {
        if let Some(pieces) = &mut self.pieces {
            let finished = indices.iter().filter_map(|index| pieces.deferred(*index));
            self.batch.extend(finished.map(|(piece, counted)| Told::Piece(piece, counted)));
        }
        self.deferred.append(&mut indices);
    }

    fn flush(&mut self, engine: &Engine) {
        let tally = engine.tally();
        self.handle.add(&tally, &self.told);
        self.told = tally;
        self.pass_on(engine.oldest_group());
    }

    fn is_cancelled(&self) -> bool {
        self.handle.is_cancelled() || self.shared.stop.load(Ordering::Relaxed)
    }
}
