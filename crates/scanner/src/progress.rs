//! How far a scan is, and the wish to stop it, for other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

    /// A run begins: nothing is done yet.
    pub(crate) fn begin(&self, total: u64) {
        self.shared.total.store(total, Ordering::Relaxed);
        self.shared.done.store(0, Ordering::Relaxed);
        self.shared.open.store(0, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, done: u64, open: u64) {
        self.shared.done.fetch_add(done, Ordering::Relaxed);
        self.shared.open.fetch_add(open, Ordering::Relaxed);
    }
}
