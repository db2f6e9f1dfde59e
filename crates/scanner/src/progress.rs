//! How far a scan is, and the wish to stop it, for other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::state::Tally;

/// Shows how far a scan is, and stops it. Cheap to clone; works from any thread.
#[derive(Clone, Debug, Default)]
pub struct ScanHandle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    total: AtomicU64,
    done: AtomicU64,
    open: AtomicU64,
    sent: AtomicU64,
    resumed: AtomicU64,
    cancelled: AtomicBool,
}

impl ScanHandle {
    /// Stops the scan: it sends nothing more and ends within a tenth of a second, with what it found.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// How many (address, port) pairs there are.
    pub fn total(&self) -> u64 {
        self.shared.total.load(Ordering::Relaxed)
    }

    /// How many of them have a verdict.
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// How many were found open.
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// How many probes left in this run, repeated ones included.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// How many of [`Self::done`] were done by earlier runs, see [`crate::resume`].
    pub fn resumed(&self) -> u64 {
        self.shared.resumed.load(Ordering::Relaxed)
    }

    /// A run begins, of which so much was done before.
    pub(crate) fn begin(&self, total: u64, done: &Tally) {
        self.shared.total.store(total, Ordering::Relaxed);
        self.shared.resumed.store(done.probes, Ordering::Relaxed);
        self.shared.done.store(done.probes, Ordering::Relaxed);
        self.shared.open.store(done.open, Ordering::Relaxed);
        self.shared.sent.store(0, Ordering::Relaxed);
    }

    /// What a worker did since it last told. Probes that turn out not to have left are taken back, so that the
    /// number of those sent may also go down: the counter wraps as the difference does.
    pub(crate) fn add(&self, now: &Tally, told: &Tally) {
        let add = |counter: &AtomicU64, now: u64, told: u64| {
            if now != told {
                counter.fetch_add(now.wrapping_sub(told), Ordering::Relaxed);
            }
        };
        add(&self.shared.done, now.probes, told.probes);
        add(&self.shared.open, now.open, told.open);
        add(&self.shared.sent, now.sent, told.sent);
    }
}
