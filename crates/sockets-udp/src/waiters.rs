//! Tasks that wait for a socket to become ready, without holding the socket while they wait.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The tasks waiting for one direction of a socket.
///
/// Tokio's own `readable()` future borrows the socket for as long as it waits, so a task that
/// waits would keep the port bound after `close`, for ever if nobody polls it. Here a task waits
/// on a [`Notify`] and looks the socket up again when it is woken; the socket is gone the moment it
/// is closed.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    tasks: Arc<WakeAll>,
}

impl Waiters {
    /// A future that is ready once [`Self::wake`] or the driver has woken the waiters after this
    /// call.
    pub(crate) fn woken(&self) -> Notified<'_> {
        self.tasks.0.notified()
    }

    /// Wakes every waiting task.
    pub(crate) fn wake(&self) {
        self.tasks.0.notify_waiters();
    }

    /// Polls with a waker that wakes every waiting task: the driver keeps one waker for each
    /// direction, and more than one task may wait.
    pub(crate) fn poll<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let waker = Waker::from(Arc::clone(&self.tasks));
        poll(&mut Context::from_waker(&waker))
    }
}

#[derive(Debug, Default)]
struct WakeAll(Notify);

impl Wake for WakeAll {
    fn wake(self: Arc<Self>) {
        self.0.notify_waiters();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_waiters();
    }
}
