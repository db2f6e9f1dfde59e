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

use super::Event;

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

/// A subscription to a socket's events: a `Stream` of them that ends after [`Event::Closed`].
///
/// The channel is bounded by
/// [`event_capacity`](crate::UdpSocketBuilder::event_capacity). A subscriber that falls behind
/// loses the oldest events and is told how many by [`Event::Lagged`]; the socket never waits for
/// it.
pub struct Events {
    first: Option<Event>,
    receiver: Receiver,
    subscribers: Arc<AtomicUsize>,
    missed: u64,
    ended: bool,
}

/// The channel's end. A `Stream` is polled, which the channel cannot be: a future waits with it.
struct Receiver {
    /// `None` while the future has it.
    idle: Option<broadcast::Receiver<Event>>,
    /// Made for the first wait, and used again: an event costs no allocation.
    waiting: Option<ReusableBoxFuture<'static, Waited>>,
}

type Waited = (Result<Event, RecvError>, broadcast::Receiver<Event>);

impl Events {
    /// `first` comes before what the receiver has; with `ended` nothing does after it.
    pub(super) fn new(
        first: Event,
        receiver: broadcast::Receiver<Event>,
        subscribers: Arc<AtomicUsize>,
        ended: bool,
    ) -> Self {
        subscribers.fetch_add(1, Ordering::Relaxed);
        let receiver = Receiver { idle: Some(receiver), waiting: None };
        Self { first: Some(first), receiver, subscribers, missed: 0, ended }
    }

    /// The next event, or `None` after [`Event::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost where the future is dropped.
    pub async fn recv(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand; the last waker is woken.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        // Whoever takes one event after the other lets the other tasks run, too.
        let turn = ready!(coop::poll_proceed(context));
        let polled = self.receiver.poll(context);
        if polled.is_ready() {
            turn.made_progress();
        }
        polled.map(|received| match received {
            Ok(event) => Some(self.note(event)),
            Err(RecvError::Lagged(missed)) => Some(self.lag(missed)),
            Err(RecvError::Closed) => None,
        })
    }

    /// As [`recv`](Self::recv), where there is something now.
    ///
    /// # Errors
    ///
    /// [`NoEvent`]: none now, or none ever.
    pub fn try_recv(&mut self) -> Result<Event, NoEvent> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        if self.ended {
            return Err(NoEvent::Ever);
        }
        match self.receiver.try_recv() {
            Ok(event) => Ok(self.note(event)),
            Err(TryRecvError::Lagged(missed)) => Ok(self.lag(missed)),
            Err(TryRecvError::Empty) => Err(NoEvent::Now),
            Err(TryRecvError::Closed) => Err(NoEvent::Ever),
        }
    }

    /// How many events this subscription has missed so far.
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    fn note(&mut self, event: Event) -> Event {
        self.ended = event == Event::Closed;
        event
    }

    fn lag(&mut self, missed: u64) -> Event {
        self.missed = self.missed.saturating_add(missed);
        Event::Lagged { missed }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_recv(context)
    }
}

impl FusedStream for Events {
    fn is_terminated(&self) -> bool {
        self.ended && self.first.is_none()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("missed", &self.missed).finish_non_exhaustive()
    }
}

impl Receiver {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
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

    fn try_recv(&mut self) -> Result<Event, TryRecvError> {
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

    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        // The receiver is with the future, or idle.
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        let (received, receiver) = ready!(waiting.poll(context));
        self.idle = Some(receiver);
        Poll::Ready(received)
    }
}

/// One type of future, so that the next one fits where the last one was.
async fn wait(mut receiver: broadcast::Receiver<Event>) -> Waited {
    let received = receiver.recv().await;
    (received, receiver)
}
