//! Typed events over a bounded channel that counts what a slow subscriber missed.

mod subscription;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

pub use subscription::{Events, NoEvent};

/// The deepest channel: it is allocated whole.
const MAX_CAPACITY: usize = 1 << 16;

/// The sending side. Cheap to clone; events end when it is closed, or the last clone is gone.
pub(crate) struct Publisher<E> {
    channel: Arc<Mutex<Channel<E>>>,
    subscribers: Arc<AtomicUsize>,
}

struct Channel<E> {
    /// The event that tells that so many were missed.
    lagged: fn(u64) -> E,
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

impl<E: Clone + Send + 'static> Publisher<E> {
    /// `awaited`: a subscriber is sure to come, and will want the events of every read, too.
    /// `lagged` makes the event that tells a subscriber how many it missed.
    pub(crate) fn new(capacity: usize, awaited: bool, lagged: fn(u64) -> E) -> Self {
        let stage = Stage::Unheard { kept: VecDeque::new(), missed: 0, is_closed: false };
        let channel = Channel { lagged, capacity: capacity.clamp(1, MAX_CAPACITY), stage, awaited };
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
        let events = Events::new(receiver, untold, subscribers, channel.lagged);
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
    use futures_core::Stream;
    use futures_util::FutureExt as _;

    use super::*;

    /// A number above this stands for as many missed events as it is above.
    const MISSED: u64 = 100;

    fn numbers(capacity: usize, awaited: bool) -> Publisher<u64> {
        Publisher::new(capacity, awaited, |missed| MISSED + missed)
    }

    #[tokio::test]
    async fn the_first_subscriber_sees_the_beginning() {
        let publisher = numbers(4, false);
        publisher.publish(1);
        publisher.publish_if_heard(|| unreachable!("nobody listens yet"));
        let (mut first, mut second) = (publisher.subscribe(), publisher.subscribe());
        publisher.publish_if_heard(|| 2);
        publisher.close(3);
        publisher.publish(4);
        for number in 1..=3 {
            assert_eq!(first.recv().await, Some(number));
        }
        assert_eq!(first.recv().await, None);
        assert_eq!(first.try_recv(), Err(NoEvent::Ever));
        assert_eq!(second.recv().await, Some(2));
        assert_eq!(publisher.subscribe().recv().await, None);
    }

    #[tokio::test]
    async fn for_who_does_not_want_them_no_events_of_reads_are_made() {
        let publisher = numbers(4, true);
        let mut events = publisher.subscribe_without_data();
        publisher.publish_if_heard(|| unreachable!("nobody wants it"));
        drop(publisher.subscribe());
        publisher.publish_if_heard(|| unreachable!("nobody is left who does"));
        publisher.publish(1);
        assert_eq!(events.recv().await, Some(1));
    }

    #[tokio::test]
    async fn who_comes_late_is_told_what_it_missed_and_the_end() {
        let publisher = numbers(2, false);
        for number in 1..=4 {
            publisher.publish(number);
        }
        publisher.close(5);
        publisher.publish(6);
        let mut events = publisher.subscribe();
        assert_eq!(events.recv().await, Some(MISSED + 3));
        assert_eq!(events.try_recv(), Ok(4));
        assert_eq!(events.recv().await, Some(5));
        assert_eq!(events.try_recv(), Err(NoEvent::Ever));
        assert_eq!(events.missed(), 3);
        assert_eq!(publisher.subscribe().recv().await, None);
    }

    #[tokio::test]
    async fn missed_events_are_counted() {
        let publisher = numbers(2, false);
        let mut events = publisher.subscribe();
        assert_eq!(events.try_recv(), Err(NoEvent::Now));
        for number in 0..5 {
            publisher.publish(number);
        }
        assert_eq!(events.recv().await, Some(MISSED + 3));
        assert_eq!(events.recv().await, Some(3));
        assert_eq!(events.missed(), 3);
    }

    #[tokio::test]
    async fn a_subscription_is_a_stream_of_the_same_events() {
        fn is_stream<S: Stream<Item = u64> + Send + Sync + Unpin + 'static>(_: &S) {}
        let publisher = numbers(2, false);
        let mut events = publisher.subscribe();
        is_stream(&events);
        let mut next = async || std::future::poll_fn(|context| events.poll_recv(context)).await;
        for number in 0..5 {
            publisher.publish(number);
        }
        assert_eq!([next().await, next().await, next().await], [103, 3, 4].map(Some));
        assert_eq!(next().now_or_never(), None);
        publisher.close(5);
        assert_eq!([next().await, next().await, next().await], [Some(5), None, None]);
    }

    /// Whoever gave up waiting left the receiver with the future that waited.
    #[tokio::test]
    async fn an_event_that_came_after_the_waiting_was_given_up_is_the_next() {
        let publisher = numbers(2, false);
        let mut events = publisher.subscribe();
        assert_eq!(events.recv().now_or_never(), None);
        assert_eq!(events.try_recv(), Err(NoEvent::Now));
        publisher.publish(1);
        assert_eq!(events.try_recv(), Ok(1));
        assert_eq!(events.recv().now_or_never(), None);
        publisher.publish(2);
        assert_eq!(events.recv().await, Some(2));
        assert_eq!(events.recv().now_or_never(), None);
        let waiting = tokio::spawn(async move { events.recv().await });
        publisher.close(3);
        assert_eq!(waiting.await.unwrap(), Some(3));
    }
}
