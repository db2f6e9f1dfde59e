//! What is left to read, and the threads that wait for more of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The descriptors of a process from one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) pid: u32,
    pub(super) from: u32,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// The next one last.
    units: Vec<Unit>,
    /// Units in work, each of which may lead to another one.
    active: usize,
}

impl Queue {
    pub(super) fn new(pids: &[u32]) -> Self {
        let units = pids.iter().rev().map(|pid| Unit { pid: *pid, from: 0 }).collect();
        Self { state: Mutex::new(State { units, active: 0 }), changed: Condvar::new() }
    }

    /// The next unit; `None` when there is and will be none, or `is_over`. Each needs a
    /// [`done`](Self::done).
    pub(super) fn next(&self, is_over: &AtomicBool) -> Option<Unit> {
        let mut state = self.lock();
        loop {
            if is_over.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(unit) = state.units.pop() {
                state.active += 1;
                return Some(unit);
            }
            if state.active == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn push(&self, unit: Unit) {
        self.lock().units.push(unit);
        self.changed.notify_one();
    }

    pub(super) fn done(&self) {
        let mut state = self.lock();
        state.active -= 1;
        if state.active == 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock; what a thread did before it panicked is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
