//! Clients whose request has not come yet: so many at most, of which the first makes room for one more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// See the module's first line. Whoever asks as soon as it comes is never in the way of another, and
/// nobody who only stays keeps it out.
#[derive(Debug)]
pub(super) struct WaitingRoom {
    most: usize,
    /// In the order in which they came.
    places: Mutex<VecDeque<Arc<Notify>>>,
}

impl WaitingRoom {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, places: Mutex::new(VecDeque::new()) }
    }

    /// A place until it is dropped.
    pub(super) fn enter(&self) -> Place<'_> {
        let called = Arc::new(Notify::new());
        let mut places = self.places();
        if places.len() >= self.most
            && let Some(first) = places.pop_front()
        {
            first.notify_one();
        }
        places.push_back(Arc::clone(&called));
        Place { room: self, called }
    }

    fn places(&self) -> MutexGuard<'_, VecDeque<Arc<Notify>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's.
#[derive(Debug)]
pub(super) struct Place<'a> {
    room: &'a WaitingRoom,
    called: Arc<Notify>,
}

impl Place<'_> {
    /// Until it has to make room.
    pub(super) async fn lost(&self) {
        self.called.notified().await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.places().retain(|place| !Arc::ptr_eq(place, &self.called));
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    async fn is_lost(place: &Place<'_>) -> bool {
        tokio::select! {
            biased;
            () = place.lost() => true,
            () = yield_now() => false,
        }
    }

    #[tokio::test]
    async fn the_first_makes_room_for_one_more() {
        let room = WaitingRoom::new(2);
        let (first, second) = (room.enter(), room.enter());
        assert!(!is_lost(&first).await);
        let third = room.enter();
        assert!(is_lost(&first).await && !is_lost(&second).await && !is_lost(&third).await);
        // Who has asked leaves a place.
        drop(second);
        let fourth = room.enter();
        assert!(!is_lost(&third).await && !is_lost(&fourth).await);
        drop(room.enter());
        assert!(is_lost(&third).await && !is_lost(&fourth).await);
    }
}
