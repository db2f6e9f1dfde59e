//! The line of those who wait for room in an outbox: first come, first served.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::task::coop::poll_proceed;

use super::Link;
use super::locked::After;
use super::sending::Offer;
use crate::outbox::{Loss, Outbox};

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

    /// What waits.
    pub(super) fn load(&self) -> Loss {
        let mut load = Loss::default();
        self.waiting.iter().for_each(|waiting| load += Loss::message(waiting.message.len()));
        load
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
        Sent { link: self, message, ticket: None, is_over: false, is_missed: false }
    }
}

/// See [`Link::send`]. Gives its place back where it is dropped.
pub(crate) struct Sent<'a> {
    link: &'a Link,
    message: &'a Bytes,
    ticket: Option<u64>,
    is_over: bool,
    is_missed: bool,
}

impl Sent<'_> {
    /// How many bytes the message has.
    pub(crate) fn len(&self) -> usize {
        self.message.len()
    }

    /// Where it is dropped before it is over, the message counts as dropped: nobody will send it again.
    pub(crate) fn or_missed(mut self) -> Self {
        self.is_missed = true;
        self
    }
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
                self.is_over = true;
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
        drop(sending);
        self.is_over = true;
        budget.made_progress();
        Poll::Ready(offer != Offer::Gone)
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if self.is_over || self.ticket.is_none() && !self.is_missed {
            return;
        }
        let mut given_up = None;
        let mut locked = self.link.locked();
        let (sending, after) = locked.parts();
        let place = self.ticket.map(|ticket| sending.line.find(ticket));
        if let Some(Some(place)) = place {
            given_up = sending.line.waiting.remove(place);
            // The next one may be smaller, and fit. The task is awake to the socket already.
            sending.line.serve(&mut sending.outbox, after);
        }
        // Who has left the line was served, or refused by the end of the connection.
        if self.is_missed && place != Some(None) {
            self.link.note_missed(&mut locked, self.message.len());
        }
        drop(locked);
        // Not under the lock.
        drop(given_up);
    }
}
