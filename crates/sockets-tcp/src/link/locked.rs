//! The lock of the sending direction, and what is put off until it is released.
//!
//! Dropping a message may run code of whoever made it (`Bytes::from_owner`), and waking a task code
//! of its executor. Neither happens under the lock, which both may want.
//!
//! Events are told under it all the same: so they stay in the order of what they tell.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::task::Waker;

use bytes::Bytes;
use tokio::sync::Notify;

use super::Link;
use super::line::Waiting;
use super::sending::Sending;
use crate::events::lock;
use crate::outbox::{GATHER, Loss};

/// The sending direction, locked.
pub(super) struct Locked<'a> {
    // Fields are dropped as they are declared: the lock first.
    sending: MutexGuard<'a, Sending>,
    after: After<'a>,
}

/// What happens once the lock is released.
pub(super) struct After<'a> {
    progress: &'a Notify,
    moved: bool,
    task: Option<Waker>,
    // In a place of its own: where only one goes, nothing is allocated.
    message: Option<Bytes>,
    // What few have: most locks are taken for one write that goes through.
    rest: Option<Box<Rest>>,
}

#[derive(Default)]
struct Rest {
    wakers: Vec<Waker>,
    refused: VecDeque<Waiting>,
    messages: VecDeque<Bytes>,
}

/// Messages that one write completed, to be dropped once the lock is released.
pub(super) struct Spent {
    messages: [Option<Bytes>; GATHER],
    len: usize,
}

impl Link {
    /// Locks the sending direction, to change something in it.
    pub(super) fn locked(&self) -> Locked<'_> {
        let after =
            After { progress: &self.progress, moved: false, task: None, message: None, rest: None };
        Locked { sending: lock(&self.sending), after }
    }
}

impl<'a> Locked<'a> {
    /// Both at once.
    pub(super) fn parts(&mut self) -> (&mut Sending, &mut After<'a>) {
        (&mut self.sending, &mut self.after)
    }

    /// The connection's task has something new to do.
    pub(super) fn wake_task(&mut self) {
        self.after.task.clone_from(&self.sending.task);
    }

    /// The outbox moved, or will never move again.
    pub(super) fn moved(&mut self) {
        self.after.moved = true;
    }

    /// Nobody who waits for room now will be served; what is lost with that.
    #[must_use]
    pub(super) fn refuse_all(&mut self) -> Loss {
        self.sending.refuse_all(&mut self.after)
    }
}

impl Deref for Locked<'_> {
    type Target = Sending;

    fn deref(&self) -> &Sending {
        &self.sending
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Sending {
        &mut self.sending
    }
}

impl After<'_> {
    pub(super) fn drop_message(&mut self, message: Bytes) {
        match self.message {
            None => self.message = Some(message),
            Some(_) => self.rest().messages.push_back(message),
        }
    }

    pub(super) fn drop_messages(&mut self, mut messages: VecDeque<Bytes>) {
        if !messages.is_empty() {
            self.rest().messages.append(&mut messages);
        }
    }

    pub(super) fn wake(&mut self, waker: Waker) {
        self.rest().wakers.push(waker);
    }

    /// Wakes those who waited, and drops their messages.
    pub(super) fn refuse(&mut self, waiting: &mut VecDeque<Waiting>) {
        if !waiting.is_empty() {
            self.rest().refused.append(waiting);
        }
    }

    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }
}

impl Drop for After<'_> {
    fn drop(&mut self) {
        if self.moved {
            self.progress.notify_waiters();
        }
        if let Some(task) = self.task.take() {
            task.wake();
        }
        if let Some(Rest { wakers, refused, .. }) = self.rest.as_deref_mut() {
            for waker in wakers.drain(..) {
                waker.wake();
            }
            for Waiting { waker, .. } in refused.drain(..) {
                waker.wake();
            }
        }
    }
}

impl Spent {
    pub(super) const fn new() -> Self {
        Self { messages: [const { None }; GATHER], len: 0 }
    }

    /// Takes a message; no write completes more than there is room for.
    pub(super) fn push(&mut self, message: Bytes) {
        debug_assert!(self.len < GATHER);
        if let Some(place) = self.messages.get_mut(self.len) {
            *place = Some(message);
            self.len += 1;
        }
    }
}
