//! The sending direction of a connection: whose turn it is, what waits, what was lost.

use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::MutexGuard;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use socket2::SockRef;
use stats::{ErrorKind, Outbound};

use super::receiving::remember;
use super::writing::Turn;
use super::{Closing, Link};
use crate::events::lock;
use crate::outbox::{GATHER, Loss, Outbox};

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

/// The sending side's state.
pub(super) struct Sending {
    pub(super) outbox: Outbox,
    outbound: Outbound,
    pub(super) turn: Option<Turn>,
    pub(super) bytes_out: u64,
    /// Lost with the connection, or with a `write_all` that was given up.
    pub(super) lost: Loss,
    /// Dropped under the slow policy.
    pub(super) dropped: Loss,
    /// Bytes of a message were lost after others of it went out.
    pub(super) truncated: bool,
    pub(super) closing: Option<Closing>,
    pub(super) failed: Option<io::ErrorKind>,
    finishing: bool,
    end_sent: bool,
    /// The connection's own task, which flushes.
    pub(super) task: Option<Waker>,
}

impl Sending {
    pub(super) fn new(outbox: Outbox, outbound: Outbound) -> Self {
        Self {
            outbox,
            outbound,
            turn: None,
            bytes_out: 0,
            lost: Loss::default(),
            dropped: Loss::default(),
            truncated: false,
            closing: None,
            failed: None,
            finishing: false,
            end_sent: false,
            task: None,
        }
    }

    pub(super) fn queued(&self) -> Loss {
        let mut queued = Loss { messages: self.outbox.len(), bytes: self.outbox.bytes() };
        if let Some(turn) = self.turn {
            queued += Loss::message(turn.remaining);
        }
        queued
    }

    pub(super) fn bury(&mut self) -> Loss {
        self.failed.get_or_insert(io::ErrorKind::NotConnected);
        self.task = None;
        self.lose_all()
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.outbound.sent(bytes);
        self.bytes_out += bytes as u64;
    }

    pub(super) fn lose(&mut self, loss: Loss) {
        if !loss.is_none() {
            self.outbound.dropped(loss.messages as u64, loss.bytes as u64);
            self.lost += loss;
        }
    }

    fn drop_by_policy(&mut self, loss: Loss) {
        if !loss.is_none() {
            self.outbound.dropped(loss.messages as u64, loss.bytes as u64);
            self.dropped += loss;
        }
    }

    /// Drops all that waits, in a way that the peer will notice.
    fn lose_all(&mut self) -> Loss {
        let mut loss = self.outbox.clear();
        if let Some(turn) = self.turn.take() {
            loss += Loss::message(turn.remaining);
        }
        self.truncated |= !loss.is_none();
        self.lose(loss);
        loss
    }

    pub(super) fn error(&self) -> Option<io::Error> {
        if let Some(kind) = self.failed {
            return Some(kind.into());
        }
        (self.finishing || self.closing.is_some()).then(|| io::ErrorKind::BrokenPipe.into())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outbox.is_empty() && self.turn.is_none()
    }
}

impl Link {
    /// Offers a message: straight to the socket where nothing waits before it, else to the outbox.
    /// Whole or not at all, in order.
    pub(crate) fn offer(&self, message: &Bytes, drop_oldest: bool) -> Offer {
        let mut sending = lock(&self.sending);
        if sending.error().is_some() {
            return Offer::Gone;
        }
        if message.is_empty() {
            return Offer::Accepted { dropped: 0 };
        }
        if sending.is_idle() {
            let written = match self.stream.try_write(message) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => {
                    self.fail(sending, &error);
                    return Offer::Gone;
                }
            };
            if written > 0 {
                sending.sent(written);
                self.note_activity();
            }
            if written < message.len() {
                let rest = message.slice(written..);
                if written > 0 {
                    sending.outbox.push_rest(rest);
                } else {
                    sending.outbox.push(rest);
                }
                wake_task(sending);
            }
            return Offer::Accepted { dropped: 0 };
        }
        let mut loss = Loss::default();
        // With something queued before, the task is awake to the socket already.
        let was_empty = sending.outbox.is_empty();
        if !sending.outbox.fits(message.len()) {
            if !drop_oldest {
                return Offer::Full;
            }
            let ahead = sending.turn.map_or(0, |turn| turn.ahead);
            let (dropped, gone_ahead) = sending.outbox.drop_oldest(message.len(), ahead);
            loss = dropped;
            sending.drop_by_policy(loss);
            if let Some(turn) = &mut sending.turn {
                turn.ahead -= gone_ahead;
            }
        }
        let fits = sending.outbox.fits(message.len());
        if fits {
            sending.outbox.push(message.clone());
        }
        if was_empty {
            wake_task(sending);
        } else {
            drop(sending);
        }
        if !loss.is_none() {
            self.progress.notify_waiters();
            self.observer.dropped(loss);
        }
        if fits { Offer::Accepted { dropped: loss.messages } } else { Offer::Full }
    }

    /// Counts and reports a message that a policy turned away.
    pub(crate) fn turned_away(&self, bytes: usize) {
        let loss = Loss::message(bytes);
        lock(&self.sending).drop_by_policy(loss);
        self.observer.dropped(loss);
    }

    /// The largest message the outbox can ever hold, in bytes.
    pub(crate) fn largest_message(&self) -> usize {
        lock(&self.sending).outbox.limits().bytes
    }

    /// Waits for room, then as [`Link::offer`]. `false`: the sending direction has ended.
    pub(crate) async fn send(&self, message: &Bytes) -> bool {
        loop {
            let mut progress = pin!(self.progress.notified());
            progress.as_mut().enable();
            match self.offer(message, false) {
                Offer::Accepted { .. } => return true,
                Offer::Gone => return false,
                Offer::Full => progress.await,
            }
        }
    }

    /// The connection's task: flushes, sends the end of the stream when it is due, and says when
    /// the connection is to be closed (a finish only while it is `serving`).
    pub(crate) fn poll_service(&self, context: &mut Context<'_>, serving: bool) -> Poll<Closing> {
        let mut sending = lock(&self.sending);
        remember(&mut sending.task, context);
        loop {
            match sending.closing {
                Some(closing @ Closing::Abort(_)) => return Poll::Ready(closing),
                Some(closing @ Closing::Finish(_)) if serving => return Poll::Ready(closing),
                _ => {}
            }
            let allowed = sending.turn.map_or(usize::MAX, |turn| turn.ahead);
            if sending.failed.is_some() || sending.outbox.is_empty() || allowed == 0 {
                if sending.failed.is_none()
                    && sending.finishing
                    && !sending.end_sent
                    && sending.is_idle()
                {
                    sending.end_sent = true;
                    // It fails only where the peer is gone, and then there is none to tell.
                    let _ = SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write);
                    self.progress.notify_waiters();
                }
                return Poll::Pending;
            }
            match self.stream.poll_write_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.fail(sending, &error);
                    return Poll::Pending;
                }
            }
            let mut slices = [IoSlice::new(&[]); GATHER];
            let filled = sending.outbox.gather(&mut slices, allowed);
            match self.stream.try_write_vectored(&slices[..filled]) {
                Ok(written) => {
                    let completed = sending.outbox.advance(written);
                    if let Some(turn) = &mut sending.turn {
                        turn.ahead -= completed;
                    }
                    sending.sent(written);
                    self.note_activity();
                    self.progress.notify_waiters();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.fail(sending, &error);
                    return Poll::Pending;
                }
            }
        }
    }

    /// No more is taken; the end of the stream follows what is queued.
    pub(crate) fn begin_finish(&self) {
        let mut sending = lock(&self.sending);
        sending.finishing = true;
        wake_task(sending);
    }

    /// Waits until the end of the stream is out.
    pub(crate) async fn finished(&self) -> io::Result<()> {
        loop {
            let mut progress = pin!(self.progress.notified());
            progress.as_mut().enable();
            match self.is_finished() {
                Some(result) => return result,
                None => progress.await,
            }
        }
    }

    /// Whether the end of the stream is out, or never will be.
    pub(crate) fn is_finished(&self) -> Option<io::Result<()>> {
        let sending = lock(&self.sending);
        if sending.end_sent {
            return Some(Ok(()));
        }
        sending.failed.map(|kind| Err(kind.into()))
    }

    /// Whether no more is taken.
    pub(crate) fn is_closing(&self) -> bool {
        lock(&self.sending).error().is_some()
    }

    /// Why sending failed, if it did.
    pub(crate) fn write_failure(&self) -> Option<io::ErrorKind> {
        lock(&self.sending).failed
    }

    fn fail(&self, mut sending: MutexGuard<'_, Sending>, error: &io::Error) {
        self.note_failure(&mut sending, error);
    }

    pub(super) fn note_failure(&self, sending: &mut Sending, error: &io::Error) {
        sending.failed = Some(error.kind());
        sending.outbound.error(ErrorKind::Write);
        let loss = sending.lose_all();
        self.progress.notify_waiters();
        self.observer.write_failed(error);
        self.observer.dropped(loss);
    }
}

pub(super) fn wake_task(sending: MutexGuard<'_, Sending>) {
    let task = sending.task.clone();
    drop(sending);
    if let Some(task) = task {
        task.wake();
    }
}
