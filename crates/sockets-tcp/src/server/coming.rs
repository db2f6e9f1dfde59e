//! Who is still to come, or to be heard out, while a server ends: known to those who wait for the last one.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what others wait for: what may still bring a client, which is accepting tasks, and connections
/// whose handler has not been called; or the clients that a relay still reads.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    coming: AtomicUsize,
    over: Notify,
}

impl Arrivals {
    /// One more may come, as long as what this returns is held.
    pub(crate) fn expect(self: &Arc<Self>) -> Coming {
        self.coming.fetch_add(1, Ordering::AcqRel);
        Coming(Arc::clone(self))
    }

    /// Until nobody comes any more. Of clients: the server has stopped accepting, and the handler of
    /// everybody whom it accepted was called.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing changes by it.
    pub(crate) async fn are_over(&self) {
        loop {
            let mut over = pin!(self.over.notified());
            over.as_mut().enable();
            if self.coming.load(Ordering::Acquire) == 0 {
                return;
            }
            over.await;
        }
    }
}

/// See [`Arrivals::expect`].
#[derive(Debug)]
pub(crate) struct Coming(Arc<Arrivals>);

impl Drop for Coming {
    fn drop(&mut self) {
        if self.0.coming.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.over.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn the_last_one_ends_it() {
        let arrivals = Arc::<Arrivals>::default();
        let (first, second) = (arrivals.expect(), arrivals.expect());
        let mut over = Box::pin(arrivals.are_over());
        let mut is_over =
            async || poll_fn(|context| Poll::Ready(over.as_mut().poll(context))).await;
        assert!(is_over().await.is_pending());
        drop(first);
        assert!(is_over().await.is_pending());
        drop(second);
        assert!(is_over().await.is_ready());
        arrivals.are_over().await;
    }
}
