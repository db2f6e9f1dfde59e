//! The receiving side of events: a subscription.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::task::coop;
use tokio_util::sync::ReusableBoxFuture;

/// Why there is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoEvent {
    /// None has happened since; one may.
    #[error("there is no event now")]
    Now,
    /// The last one was received.
    #[error("there are no events any more")]
    Ever,
}

/// A subscription to events of type `E`: a `Stream` of them. Each subscription sees every event
/// once, in order, or is told how many it missed ([`ServerEvent::Lagged`](crate::ServerEvent::Lagged),
/// [`ClientEvent::Lagged`](crate::ClientEvent::Lagged)); nobody waits for a slow subscriber.
pub struct Events<E> {
    receiver: Receiver<E>,
    /// Where it counts as one that hears of every read.
    subscribers: Option<Arc<AtomicUsize>>,
    lagged: fn(u64) -> E,
    missed: u64,
    /// The last one was received.
    ended: bool,
}

/// The channel's end. A `Stream` is polled, which the channel cannot be: a future waits with it.
struct Receiver<E> {
    /// `None` while the future has it.
    idle: Option<broadcast::Receiver<E>>,
    /// Lost before there was a subscription, and not told yet.
    untold: u64,
    /// Made for the first wait, and used again: an event costs no allocation.
    waiting: Option<ReusableBoxFuture<'static, Waited<E>>>,
}

type Waited<E> = (Result<E, RecvError>, broadcast::Receiver<E>);

impl<E> Events<E> {
    /// How many events this subscription missed so far.
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}

impl<E: Clone + Send + 'static> Events<E> {
    pub(super) fn new(
        receiver: broadcast::Receiver<E>,
        untold: u64,
        subscribers: Option<Arc<AtomicUsize>>,
        lagged: fn(u64) -> E,
    ) -> Self {
        if let Some(subscribers) = &subscribers {
            subscribers.fetch_add(1, Ordering::Relaxed);
        }
        let receiver = Receiver { idle: Some(receiver), untold, waiting: None };
        Self { receiver, subscribers, lagged, missed: 0, ended: false }
    }

    /// The next event, `Lagged` where some were missed, `None` after the last one.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost where the future is dropped.
    pub async fn recv(&mut self) -> Option<E> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand; the last waker is woken.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<E>> {
        // Whoever takes one event after the other lets the other tasks run, too.
        let turn = ready!(coop::poll_proceed(context));
        let polled = self.receiver.poll(context);
        if polled.is_ready() {
            turn.made_progress();
        }
        polled.map(|received| match received {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(self.lag(missed)),
            Err(RecvError::Closed) => {
                self.ended = true;
                None
            }
        })
    }

    /// As [`recv`](Self::recv), where there is something now.
    ///
    /// # Errors
    ///
    /// [`NoEvent`]: none now, or none ever.
    pub fn try_recv(&mut self) -> Result<E, NoEvent> {
        match self.receiver.try_recv() {
            Ok(event) => Ok(event),
            Err(TryRecvError::Lagged(missed)) => Ok(self.lag(missed)),
            Err(TryRecvError::Empty) => Err(NoEvent::Now),
            Err(TryRecvError::Closed) => Err(NoEvent::Ever),
        }
    }

    fn lag(&mut self, missed: u64) -> E {
        self.missed = self.missed.saturating_add(missed);
        (self.lagged)(missed)
    }
}

impl<E> Drop for Events<E> {
    fn drop(&mut self) {
        if let Some(subscribers) = &self.subscribers {
            subscribers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<E> fmt::Debug for Events<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("missed", &self.missed).finish_non_exhaustive()
    }
}

impl<E: Clone + Send + 'static> Stream for Events<E> {
    type Item = E;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<E>> {
        self.get_mut().poll_recv(context)
    }
}

impl<E: Clone + Send + 'static> FusedStream for Events<E> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<E: Clone + Send + 'static> Receiver<E> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<E, RecvError>> {
        if self.untold > 0 {
            return Poll::Ready(Err(RecvError::Lagged(std::mem::take(&mut self.untold))));
        }
        if let Some(mut receiver) = self.idle.take() {
            match receiver.try_recv() {
                Err(TryRecvError::Empty) => match &mut self.waiting {
                    Some(waiting) => waiting.set(wait(receiver)),
                    None => self.waiting = Some(ReusableBoxFuture::new(wait(receiver))),
                },
                known => {
                    self.idle = Some(receiver);
                    return Poll::Ready(known.map_err(|error| match error {
                        TryRecvError::Lagged(missed) => RecvError::Lagged(missed),
                        TryRecvError::Closed | TryRecvError::Empty => RecvError::Closed,
                    }));
                }
            }
        }
        self.poll_waiting(context)
    }

    fn try_recv(&mut self) -> Result<E, TryRecvError> {
        if self.untold > 0 {
            return Err(TryRecvError::Lagged(std::mem::take(&mut self.untold)));
        }
        if let Some(receiver) = &mut self.idle {
            return receiver.try_recv();
        }
        match self.poll_waiting(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(event)) => Ok(event),
            Poll::Ready(Err(RecvError::Lagged(missed))) => Err(TryRecvError::Lagged(missed)),
            Poll::Ready(Err(RecvError::Closed)) => Err(TryRecvError::Closed),
            Poll::Pending => Err(TryRecvError::Empty),
        }
    }

    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Result<E, RecvError>> {
        // The receiver is with the future, or idle.
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        let (received, receiver) = ready!(waiting.poll(context));
        self.idle = Some(receiver);
        Poll::Ready(received)
    }
}

/// One type of future, so that the next one fits where the last one was.
async fn wait<E: Clone>(mut receiver: broadcast::Receiver<E>) -> Waited<E> {
    let received = receiver.recv().await;
    (received, receiver)
}
