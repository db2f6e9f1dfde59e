//! A future that is kept between polls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// See the module's first line. The lock is never contended: it makes this `Sync`, as its owner is.
pub struct Waiting<T>(Mutex<Option<BoxFuture<T>>>);

impl<T> Waiting<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn slot(&mut self) -> &mut Option<BoxFuture<T>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&mut self) -> Option<BoxFuture<T>> {
        self.slot().take()
    }

    pub(super) fn set(&mut self, future: BoxFuture<T>) {
        *self.slot() = Some(future);
    }

    /// Polls the future that is kept; `None` where there is none.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let slot = self.slot();
        let Some(future) = slot else { return Poll::Ready(None) };
        let output = ready!(future.as_mut().poll(context));
        *slot = None;
        Poll::Ready(Some(output))
    }

    /// Polls the future that is kept, or a new one.
    pub(super) fn poll_or_begin(
        &mut self,
        context: &mut Context<'_>,
        begin: impl FnOnce() -> BoxFuture<T>,
    ) -> Poll<T> {
        let slot = self.slot();
        let output = ready!(slot.get_or_insert_with(begin).as_mut().poll(context));
        *slot = None;
        Poll::Ready(output)
    }
}

impl<T> fmt::Debug for Waiting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}
