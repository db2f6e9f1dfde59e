//! Typed events over a bounded channel that counts what a slow subscriber missed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

/// The deepest channel: it is allocated whole.
const MAX_CAPACITY: usize = 1 << 16;

/// What a subscriber receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received<E> {
    /// Something happened.
    Event(E),
    /// The subscriber was slower than the channel is deep: this many events are lost to it.
    Lagged(u64),
}

impl<E> Received<E> {
    /// The event, unless this says that some were missed.
    pub fn event(self) -> Option<E> {
        match self {
            Self::Event(event) => Some(event),
            Self::Lagged(_) => None,
        }
    }
}

/// Why there is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvent {
    /// None has happened since; one may.
    #[error("there is no event now")]
    Now,
    /// The last one was received.
    #[error("there are no events any more")]
    Ever,
}

/// A subscription to events of type `E`. Each subscription sees every event once, in order, or is
/// told how many it missed.
pub struct Events<E> {
    receiver: broadcast::Receiver<E>,
    /// Where it counts as one that hears of every read.
    subscribers: Option<Arc<AtomicUsize>>,
    /// Lost before there was a subscription, and not told yet.
    untold: u64,
    missed: u64,
}

impl<E: Clone> Events<E> {
    fn new(
        receiver: broadcast::Receiver<E>,
        subscribers: Option<Arc<AtomicUsize>>,
        untold: u64,
    ) -> Self {
        if let Some(subscribers) = &subscribers {
            subscribers.fetch_add(1, Ordering::Relaxed);
        }
        Self { receiver, subscribers, untold, missed: 0 }
    }

    /// The next event, [`Received::Lagged`] where some were missed, `None` after the last one.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost where the future is dropped.
    pub async fn recv(&mut self) -> Option<Received<E>> {
        if self.untold > 0 {
            return Some(self.lagged_before());
        }
        match self.receiver.recv().await {
            Ok(event) => Some(Received::Event(event)),
            Err(RecvError::Lagged(missed)) => Some(self.lagged(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// As [`recv`](Self::recv), where there is something now.
    ///
    /// # Errors
    ///
    /// [`NoEvent`]: none now, or none ever.
    pub fn try_recv(&mut self) -> Result<Received<E>, NoEvent> {
        if self.untold > 0 {
            return Ok(self.lagged_before());
        }
        match self.receiver.try_recv() {
            Ok(event) => Ok(Received::Event(event)),
            Err(TryRecvError::Lagged(missed)) => Ok(self.lagged(missed)),
            Err(TryRecvError::Empty) => Err(NoEvent::Now),
            Err(TryRecvError::Closed) => Err(NoEvent::Ever),
        }
    }

    /// How many events this subscription missed so far.
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    fn lagged_before(&mut self) -> Received<E> {
        let untold = std::mem::take(&mut self.untold);
        self.lagged(untold)
    }

    fn lagged(&mut self, missed: u64) -> Received<E> {
        self.missed += missed;
        Received::Lagged(missed)
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

/// The sending side. Cheap to clone; events end when it is closed, or the last clone is gone.
pub(crate) struct Publisher<E> {
    channel: Arc<Mutex<Channel<E>>>,
    subscribers: Arc<AtomicUsize>,
}

struct Channel<E> {
    capacity: usize,
    stage: Stage<E>,
    /// The first subscriber is counted already.
    awaited: bool,
}

enum Stage<E> {
    /// Nobody has subscribed yet, and most often nobody does: the channel would be allocated whole.
    Unheard {
        /// For the first who does, the oldest first.
        kept: VecDeque<E>,
        /// Of those before them.
        missed: u64,
        /// The last event is among them.
        is_closed: bool,
    },
    Heard(broadcast::Sender<E>),
    /// After the last event.
    Over,
}

impl<E: Clone> Publisher<E> {
    /// `awaited`: a subscriber is sure to come, and will want the events of every read, too.
    pub(crate) fn new(capacity: usize, awaited: bool) -> Self {
        let stage = Stage::Unheard { kept: VecDeque::new(), missed: 0, is_closed: false };
        let channel = Channel { capacity: capacity.clamp(1, MAX_CAPACITY), stage, awaited };
        let subscribers = Arc::new(AtomicUsize::new(usize::from(awaited)));
        Self { channel: Arc::new(Mutex::new(channel)), subscribers }
    }

    /// A subscription; the first one begins with what was published before it, as far back as the
    /// channel is deep.
    pub(crate) fn subscribe(&self) -> Events<E> {
        self.subscription(Some(Arc::clone(&self.subscribers)))
    }

    /// As [`subscribe`](Self::subscribe); the events of every read are not made for it.
    pub(crate) fn subscribe_without_data(&self) -> Events<E> {
        self.subscription(None)
    }

    fn subscription(&self, subscribers: Option<Arc<AtomicUsize>>) -> Events<E> {
        let mut channel = lock(&self.channel);
        let (receiver, untold) = channel.receiver();
        let events = Events::new(receiver, subscribers, untold);
        if std::mem::take(&mut channel.awaited) {
            self.subscribers.fetch_sub(1, Ordering::Relaxed);
        }
        events
    }

    pub(crate) fn publish(&self, event: E) {
        lock(&self.channel).publish(event);
    }

    /// For events of every read: nothing is made, nothing is sent where nobody listens.
    pub(crate) fn publish_if_heard(&self, event: impl FnOnce() -> E) {
        if self.subscribers.load(Ordering::Relaxed) > 0 {
            self.publish(event());
        }
    }

    /// Publishes the last event; subscriptions end after it.
    pub(crate) fn close(&self, last: E) {
        // At once: whatever another publishes meanwhile comes before the last, or never.
        let mut channel = lock(&self.channel);
        channel.publish(last);
        match &mut channel.stage {
            Stage::Unheard { is_closed, .. } => *is_closed = true,
            stage => *stage = Stage::Over,
        }
    }
}

impl<E: Clone> Channel<E> {
    fn publish(&mut self, event: E) {
        match &mut self.stage {
            Stage::Unheard { is_closed: true, .. } | Stage::Over => {}
            Stage::Unheard { kept, missed, .. } => {
                if kept.len() == self.capacity {
                    kept.pop_front();
                    *missed += 1;
                }
                kept.push_back(event);
            }
            Stage::Heard(sender) => {
                // Without any receiver there is nobody to miss it.
                let _ = sender.send(event);
            }
        }
    }

    /// For a new subscription; and how many events are lost to it.
    fn receiver(&mut self) -> (broadcast::Receiver<E>, u64) {
        match &mut self.stage {
            Stage::Unheard { kept, missed, is_closed } => {
                let (sender, receiver) = broadcast::channel(self.capacity);
                for event in kept.drain(..) {
                    // It has a receiver, the one above.
                    let _ = sender.send(event);
                }
                let missed = *missed;
                self.stage = if *is_closed { Stage::Over } else { Stage::Heard(sender) };
                (receiver, missed)
            }
            Stage::Heard(sender) => (sender.subscribe(), 0),
            // A channel without a sender: ended.
            Stage::Over => (broadcast::channel(1).1, 0),
        }
    }
}

impl<E> Clone for Publisher<E> {
    fn clone(&self) -> Self {
        Self { channel: Arc::clone(&self.channel), subscribers: Arc::clone(&self.subscribers) }
    }
}

/// Locks, also where a panic of another holder poisoned the lock: the data behind the locks of
/// this crate is consistent between any two statements that can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_subscriber_sees_the_beginning() {
        let publisher = Publisher::new(4, false);
        publisher.publish(1);
        publisher.publish_if_heard(|| unreachable!("nobody listens yet"));
        let (mut first, mut second) = (publisher.subscribe(), publisher.subscribe());
        publisher.publish_if_heard(|| 2);
        publisher.close(3);
        publisher.publish(4);
        for number in 1..=3 {
            assert_eq!(first.recv().await, Some(Received::Event(number)));
        }
        assert_eq!(first.recv().await, None);
        assert_eq!(first.try_recv(), Err(NoEvent::Ever));
        assert_eq!(second.recv().await, Some(Received::Event(2)));
        assert_eq!(publisher.subscribe().recv().await, None);
    }

    #[tokio::test]
    async fn for_who_does_not_want_them_no_events_of_reads_are_made() {
        let publisher = Publisher::new(4, true);
        let mut events = publisher.subscribe_without_data();
        publisher.publish_if_heard(|| unreachable!("nobody wants it"));
        drop(publisher.subscribe());
        publisher.publish_if_heard(|| unreachable!("nobody is left who does"));
        publisher.publish(1);
        assert_eq!(events.recv().await, Some(Received::Event(1)));
    }

    #[tokio::test]
    async fn who_comes_late_is_told_what_it_missed_and_the_end() {
        let publisher = Publisher::new(2, false);
        for number in 1..=4 {
            publisher.publish(number);
        }
        publisher.close(5);
        publisher.publish(6);
        let mut events = publisher.subscribe();
        assert_eq!(events.recv().await, Some(Received::Lagged(3)));
        assert_eq!(events.try_recv(), Ok(Received::Event(4)));
        assert_eq!(events.recv().await, Some(Received::Event(5)));
        assert_eq!(events.try_recv(), Err(NoEvent::Ever));
        assert_eq!(events.missed(), 3);
        assert_eq!(publisher.subscribe().recv().await, None);
    }

    #[tokio::test]
    async fn missed_events_are_counted() {
        let publisher = Publisher::new(2, false);
        let mut events = publisher.subscribe();
        assert_eq!(events.try_recv(), Err(NoEvent::Now));
        for number in 0..5 {
            publisher.publish(number);
        }
        assert_eq!(events.recv().await, Some(Received::Lagged(3)));
        assert_eq!(events.recv().await.and_then(Received::event), Some(3));
        assert_eq!(events.missed(), 3);
    }
}
