//! The line of those who wait for room in an outbox: first come, first served.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::task::coop::poll_proceed;

use super::Link;
use super::locked::After;
use super::sending::Offer;
use crate::outbox::Outbox;

/// Messages that wait for room, in the order in which they came. They go over to the outbox as it
/// gets room, so that nobody who comes later finds that room first.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
    /// The next ticket.
    next: u64,
    /// Every ticket below has gone over, or was given back.
    served: u64,
}

#[derive(Debug)]
pub(super) struct Waiting {
    ticket: u64,
    message: Bytes,
    pub(super) waker: Waker,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn join(&mut self, message: Bytes, waker: Waker) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.waiting.push_back(Waiting { ticket, message, waker });
        ticket
    }

    fn find(&self, ticket: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()
    }

    /// Whether the message has gone over; `false`: it was refused.
    fn poll(&mut self, ticket: u64, context: &Context<'_>) -> Poll<bool> {
        match self.find(ticket) {
            Some(place) => {
                self.waiting[place].waker.clone_from(context.waker());
                Poll::Pending
            }
            None => Poll::Ready(ticket < self.served),
        }
    }

    /// Moves the first ones to the outbox, as far as it has room.
    pub(super) fn serve(&mut self, outbox: &mut Outbox, after: &mut After<'_>) {
        while self.waiting.front().is_some_and(|first| outbox.fits(first.message.len()))
            && let Some(first) = self.waiting.pop_front()
        {
            outbox.push(first.message);
            self.served = first.ticket + 1;
            after.wake(first.waker);
        }
    }

    /// Nobody who waits now will be served.
    pub(super) fn refuse_all(&mut self, after: &mut After<'_>) {
        after.refuse(&mut self.waiting);
    }
}

impl Link {
    /// Sends a message as [`Link::offer`] does; where there is no room, takes its place in the
    /// line. `false`: the sending direction has ended.
    pub(crate) fn send<'a>(&'a self, message: &'a Bytes) -> Sent<'a> {
        Sent { link: self, message, ticket: None }
    }
}

/// See [`Link::send`]. Gives its place back where it is dropped.
pub(crate) struct Sent<'a> {
    link: &'a Link,
    message: &'a Bytes,
    ticket: Option<u64>,
}

impl Future for Sent<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        // A sender that always finds room gives others their turn.
        let budget = ready!(poll_proceed(context));
        let mut sending = self.link.locked();
        if let Some(ticket) = self.ticket {
            let gone_over = sending.line.poll(ticket, context);
            drop(sending);
            if gone_over.is_ready() {
                budget.made_progress();
                self.ticket = None;
            }
            return gone_over;
        }
        let (offer, wake) = self.link.offer_locked(&mut sending, self.message, false);
        if offer == Offer::Full {
            let ticket = sending.line.join(self.message.clone(), context.waker().clone());
            drop(sending);
            self.ticket = Some(ticket);
            return Poll::Pending;
        }
        if wake {
            sending.wake_task();
        }
        budget.made_progress();
        Poll::Ready(offer != Offer::Gone)
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut given_up = None;
        let mut locked = self.link.locked();
        let (sending, after) = locked.parts();
        if let Some(place) = sending.line.find(ticket) {
            given_up = sending.line.waiting.remove(place);
            // The next one may be smaller, and fit. The task is awake to the socket already.
            sending.line.serve(&mut sending.outbox, after);
        }
        drop(locked);
        // Not under the lock.
        drop(given_up);
    }
}
