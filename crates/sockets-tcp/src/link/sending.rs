//! The sending direction of a connection: whose turn it is, what waits, what was lost.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use stats::Outbound;
use tokio::time::Instant;

use super::line::Line;
use super::locked::{After, Locked};
use super::standstill::Standstill;
use super::writing::Turn;
use super::{Closing, Link};
use crate::events::lock;
use crate::outbox::{Loss, Outbox};
use crate::stream::Stream;

/// What became of a message that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is with the kernel or in the outbox, and this many older messages were dropped for it.
    Accepted { dropped: usize },
    /// There is no room for it now.
    Full,
    /// The sending direction has ended.
    Gone,
}

/// How far the end of the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More may come.
    Open,
    /// It follows what is queued.
    Due,
    /// It is out, or withheld.
    Sent,
}

/// The sending side's state.
///
/// In this order, so that a message which goes straight out touches two cache lines of it: with a
/// thousand connections at work each line is a miss.
#[repr(C)]
pub(super) struct Sending {
    /// `None` once the connection is buried.
    pub(super) stream: Option<Arc<Stream>>,
    pub(super) outbound: Outbound,
    /// Bytes that the stream took: those in flight in it are not with the kernel yet.
    taken: u64,
    /// Bytes that the kernel took.
    pub(super) bytes_out: u64,
    /// The connection's own task, which flushes.
    pub(super) task: Option<Waker>,
    /// Bytes are missing from the stream, and nothing may follow them.
    pub(super) truncated: bool,
    pub(super) closing: Option<Closing>,
    pub(super) failed: Option<io::ErrorKind>,
    pub(super) end: End,
    pub(super) left_to_grace: bool,
    /// The handler is done.
    pub(super) is_served: bool,
    pub(super) turn: Option<Turn>,
    pub(super) outbox: Outbox,
    /// Who waits for room. Where anyone does, the outbox is not empty.
    pub(super) line: Line,
    /// Missing from the stream: lost with the connection, or with a `write_all` that was given up
    /// in its middle.
    pub(super) lost: Loss,
    /// Whole messages that the next connection is to send; `None` where there is no next one.
    pub(super) kept: Option<VecDeque<Bytes>>,
    /// Never part of the stream: dropped under the slow policy, or given up before its beginning.
    pub(super) dropped: Loss,
    /// What is known of a peer that is behind; of use while something waits for it.
    pub(super) standstill: Option<Standstill>,
    /// The kernel has the end of the stream, and counts it as a byte to be acknowledged.
    pub(super) end_is_held: bool,
    /// A reset is to be the end of the stream, behind the last byte.
    pub(super) withholds_end: bool,
    /// See [`Link::halt`].
    pub(super) server_ends: bool,
    /// What the peer had not acknowledged when the connection was closed.
    pub(super) unacknowledged_at_end: usize,
    /// When the grace from outside ends, where that is known here.
    pub(super) deadline: Option<Instant>,
}

impl Sending {
    pub(super) fn new(stream: Arc<Stream>, outbox: Outbox, outbound: Outbound) -> Self {
        Self {
            stream: Some(stream),
            outbox,
            line: Line::default(),
            outbound,
            turn: None,
            taken: 0,
            bytes_out: 0,
            lost: Loss::default(),
            kept: None,
            dropped: Loss::default(),
            truncated: false,
            closing: None,
            failed: None,
            end: End::Open,
            end_is_held: false,
            withholds_end: false,
            unacknowledged_at_end: 0,
            left_to_grace: false,
            is_served: false,
            server_ends: false,
            task: None,
            standstill: None,
            deadline: None,
        }
    }

    pub(super) fn queued(&self) -> Loss {
        let mut queued = Loss { messages: self.outbox.len(), bytes: self.outbox.bytes() };
        if let Some(turn) = self.turn {
            queued += Loss::message(turn.remaining);
        }
        queued += self.in_flight();
        queued
    }

    /// Notes that the stream took so many bytes, and counts those that went on to the kernel.
    pub(super) fn took(&mut self, bytes: usize) {
        self.taken += bytes as u64;
        self.settle();
    }

    /// Counts what has gone on to the kernel since. A TLS session flushes where it is read, too, and
    /// that is noted nowhere else: to be called before what is in flight is told or lost.
    pub(super) fn settle(&mut self) {
        if self.taken == self.bytes_out {
            return;
        }
        let waiting = self.stream.as_ref().map_or(0, |stream| stream.in_flight());
        let sent = self.taken.saturating_sub(waiting as u64).saturating_sub(self.bytes_out);
        if sent > 0 {
            self.outbound.sent(sent as usize);
            self.bytes_out += sent;
        }
    }

    /// What the stream took and the kernel did not: of several messages maybe, counted as one.
    fn in_flight(&self) -> Loss {
        match self.taken - self.bytes_out {
            0 => Loss::default(),
            bytes => Loss::message(bytes as usize),
        }
    }

    pub(super) fn drop_whole(&mut self, loss: Loss) {
        if !loss.is_none() {
            self.outbound.dropped(loss.messages as u64, loss.bytes as u64);
            self.dropped += loss;
        }
    }

    /// Drops all that waits, in a way that the peer will notice; says what it was.
    pub(super) fn lose_all(&mut self, after: &mut After<'_>) -> Loss {
        self.settle();
        let mut loss = match &mut self.kept {
            None => {
                let (loss, messages) = self.outbox.clear();
                after.drop_messages(messages);
                loss
            }
            Some(kept) => {
                let begun = self.outbox.clear_into(kept);
                self.truncated |= !kept.is_empty();
                begun.map_or(Loss::default(), |begun| {
                    let loss = Loss::message(begun.len());
                    after.drop_message(begun);
                    loss
                })
            }
        };
        loss += self.in_flight();
        self.taken = self.bytes_out;
        if let Some(turn) = self.turn.take() {
            loss += Loss::message(turn.remaining);
        }
        self.lose(loss);
        loss += self.refuse_all(after);
        loss
    }

    pub(super) fn lose(&mut self, loss: Loss) {
        if !loss.is_none() {
            self.outbound.dropped(loss.messages as u64, loss.bytes as u64);
            self.lost += loss;
            self.truncated = true;
        }
    }

    /// Why nothing more can be sent, not even what was accepted.
    pub(super) fn broken(&self) -> Option<io::Error> {
        match self.failed {
            Some(kind) => Some(kind.into()),
            None => self.truncated.then(|| io::ErrorKind::BrokenPipe.into()),
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.truncated || self.failed.is_some()
    }

    /// Why nothing more is accepted.
    pub(super) fn error(&self) -> Option<io::Error> {
        let closed = self.end != End::Open || self.closing.is_some();
        self.broken().or_else(|| closed.then(|| io::ErrorKind::BrokenPipe.into()))
    }

    /// Whether the stream holds anything that the kernel is still to take.
    pub(super) fn has_unsent(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.has_unsent())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outbox.is_empty() && self.turn.is_none()
    }
}

impl Link {
    /// Offers a message: straight to the socket where nothing waits before it, else to the outbox.
    /// Whole or not at all, in order.
    pub(crate) fn offer(&self, message: &Bytes, drop_oldest: bool) -> Offer {
        let mut sending = self.locked();
        let (offer, wake) = self.offer_locked(&mut sending, message, drop_oldest);
        if wake {
            sending.wake_task();
        }
        offer
    }

    /// As [`Link::offer`]; says too whether the connection's task has something new to flush.
    pub(super) fn offer_locked(
        &self,
        locked: &mut Locked<'_>,
        message: &Bytes,
        drop_oldest: bool,
    ) -> (Offer, bool) {
        let (sending, after) = locked.parts();
        let (true, Some(stream)) = (sending.error().is_none(), &sending.stream) else {
            self.note_missed(locked, message.len());
            return (Offer::Gone, false);
        };
        if message.is_empty() {
            return (Offer::Accepted { dropped: 0 }, false);
        }
        if sending.is_idle() {
            let written = match stream.try_write(message) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => {
                    self.note_failure(locked, &error);
                    return (Offer::Gone, false);
                }
            };
            let unsent = stream.has_unsent();
            if written > 0 {
                sending.took(written);
                self.note_activity();
            }
            let rest = written < message.len();
            if rest {
                sending.outbox.push_rest(message.slice(written..), written);
                sending.begin_standstill();
            }
            return (Offer::Accepted { dropped: 0 }, rest || unsent);
        }
        // With something queued before, the task is awake to the socket already.
        let was_empty = sending.outbox.is_empty();
        let mut loss = Loss::default();
        if drop_oldest {
            let ahead = sending.turn.map_or(0, |turn| turn.ahead);
            let spend = |message| after.drop_message(message);
            let (dropped, gone_ahead) = sending.outbox.drop_oldest(message.len(), ahead, spend);
            loss = dropped;
            sending.drop_whole(loss);
            if let Some(turn) = &mut sending.turn {
                turn.ahead -= gone_ahead;
            }
            if !loss.is_none() {
                self.observer.dropped(loss);
                locked.moved();
            }
        } else if !sending.line.is_empty() {
            return (Offer::Full, false);
        }
        let sending = &mut **locked;
        if !sending.outbox.fits(message.len()) {
            return (Offer::Full, false);
        }
        sending.outbox.push(message.clone());
        if was_empty {
            sending.begin_standstill();
        } else {
            sending.look_in_passing();
        }
        (Offer::Accepted { dropped: loss.messages }, was_empty)
    }

    /// Counts a message that a policy turned away, and tells of it: not of a connection that is over,
    /// whose last event was its end.
    pub(crate) fn turned_away(&self, bytes: usize) {
        let loss = Loss::message(bytes);
        let mut sending = lock(&self.sending);
        sending.drop_whole(loss);
        if sending.stream.is_some() {
            self.observer.dropped(loss);
        }
    }

    /// The largest message the outbox can ever hold, in bytes.
    pub(crate) fn largest_message(&self) -> usize {
        lock(&self.sending).outbox.limits().bytes
    }

    /// Whether no more is taken.
    pub(crate) fn is_closing(&self) -> bool {
        lock(&self.sending).error().is_some()
    }
}
