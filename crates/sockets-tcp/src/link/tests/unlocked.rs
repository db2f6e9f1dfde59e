//! Foreign code - a message's owner, a waker - runs without the lock, which it may want.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Wake, Waker};

use bytes::Bytes;

use super::*;

/// What a message is made of, or who waits for room: it uses the link when it is let go of, or
/// woken. Under the lock that would never end.
struct Meddler {
    link: Arc<Link>,
    count: Arc<AtomicUsize>,
}

impl Meddler {
    fn meddle(&self) {
        self.link.turned_away(1);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Meddler {
    fn as_ref(&self) -> &[u8] {
        &[0; 100]
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.meddle();
    }
}

struct Scene {
    link: Arc<Link>,
    peer: StdStream,
    count: Arc<AtomicUsize>,
}

impl Scene {
    fn new() -> Self {
        let (link, peer) = pair();
        Self { link: Arc::new(link), peer, count: Arc::default() }
    }

    fn meddler(&self) -> Meddler {
        Meddler { link: Arc::clone(&self.link), count: Arc::clone(&self.count) }
    }

    fn message(&self) -> Bytes {
        Bytes::from_owner(self.meddler())
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Ten messages of 100 bytes, and one more finds no room.
    fn fill(&self) {
        while self.link.offer(&self.message(), false) != Offer::Full {}
        assert_eq!(self.count(), 1, "the one that was refused");
        self.count.store(0, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn messages_that_are_sent() {
    let scene = Scene::new();
    scene.fill();
    while scene.link.traffic().queued.messages > 0 {
        poll_once(std::pin::pin!(poll_fn(|context| scene.link.poll_service(context, true)))).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.count(), 10);
    drop(scene.peer);
}

#[tokio::test]
async fn messages_that_are_dropped_for_others() {
    let scene = Scene::new();
    scene.fill();
    let large = Bytes::from(vec![1; 300]);
    assert_eq!(scene.link.offer(&large, true), Offer::Accepted { dropped: 3 });
    assert_eq!(scene.count(), 3);
}

#[tokio::test]
async fn messages_and_waiters_of_a_link_that_is_closed_or_buried() {
    let scene = Scene::new();
    scene.fill();
    let waker = Waker::from(Arc::new(scene.meddler()));
    let message = scene.message();
    let mut waiting = Box::pin(scene.link.send(&message));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    scene.link.close(Closing::Abort(CloseReason::Local));
    assert_eq!(scene.count(), 1, "it is woken");
    scene.link.bury();
    assert_eq!(scene.count(), 1 + 10);
}

#[tokio::test]
async fn who_waits_for_room_and_gets_it_or_gives_it_up() {
    let scene = Scene::new();
    scene.fill();
    let waker = Waker::from(Arc::new(scene.meddler()));
    let (large, small) = (Bytes::from_owner(scene.meddler()), Bytes::from_static(b"x"));
    let mut first = Box::pin(scene.link.send(&large));
    let mut second = Box::pin(scene.link.send(&small));
    for waiting in [first.as_mut(), second.as_mut()] {
        assert!(waiting.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(first);
    assert_eq!(scene.count(), 1, "the second is woken: it fits");
    assert!(second.await);
    drop(large);
    assert_eq!(scene.count(), 2);
}

/// What was turned away counts, but its event would come behind the last one.
#[tokio::test]
async fn of_a_link_that_is_over_nothing_more_is_told() {
    let (link, _peer) = pair();
    let Observer::Client(publisher) = &link.observer else { unreachable!() };
    let mut events = publisher.subscribe();
    link.bury();
    link.turned_away(5);
    assert_eq!(events.try_recv(), Err(crate::events::NoEvent::Now));
    assert_eq!(link.traffic().dropped.bytes, 5);
}
