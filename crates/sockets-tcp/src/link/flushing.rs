//! What a connection's task does for its sending direction: flushing, and the end of the stream.

use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, ready};

use super::locked::{Locked, Spent};
use super::receiving::remember;
use super::sending::End;
use super::{Closing, Link};
use crate::events::lock;
use crate::outbox::GATHER;

/// How many writes in a row, before others have their turn: a peer may read as fast as that.
const WRITES: usize = 64;

/// What the connection's task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attended {
    /// The connection is to be closed.
    Close(Closing),
    /// The connection has failed: nothing can be sent on it.
    Broken,
}

impl Link {
    /// The connection's task: flushes, sends the end of the stream when it is due, and says when
    /// the connection is to be closed or, while it is `serving`, that it has failed or is to be
    /// finished.
    pub(crate) fn poll_service(&self, context: &mut Context<'_>, serving: bool) -> Poll<Attended> {
        let mut sending = self.locked();
        remember(&mut sending.task, context);
        sending.settle();
        match sending.closing {
            Some(closing @ Closing::Abort(_)) => return Poll::Ready(Attended::Close(closing)),
            Some(closing @ Closing::Finish(_)) if serving => {
                return Poll::Ready(Attended::Close(closing));
            }
            _ => {}
        }
        for _ in 0..WRITES {
            if serving && sending.failed.is_some() {
                return Poll::Ready(Attended::Broken);
            }
            let allowed = sending.turn.map_or(usize::MAX, |turn| turn.ahead);
            let Some(stream) = &sending.stream else { return Poll::Pending };
            if sending.is_broken() {
                return Poll::Pending;
            }
            let nothing_queued = sending.outbox.is_empty() || allowed == 0;
            if nothing_queued {
                // Behind all data, so that it is known which of the two a peer resets.
                let is_last = sending.is_idle() && !stream.has_unsent();
                if sending.end == End::Due && !sending.withholds_end && is_last {
                    stream.begin_end();
                }
                // What the stream itself still holds: in the turn of a `write_all`, that writes it.
                if sending.turn.is_some() || !stream.has_unsent() {
                    end_if_due(&mut sending);
                    return Poll::Pending;
                }
            }
            ready!(self.poll_flush_once(
                sending,
                context,
                if nothing_queued { 0 } else { allowed }
            ));
            sending = self.locked();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// One write of at most so many queued messages; of none: of what the stream itself holds.
    fn poll_flush_once(
        &self,
        sending: Locked<'_>,
        context: &mut Context<'_>,
        allowed: usize,
    ) -> Poll<()> {
        // Declared before the lock, so that it outlives it.
        let mut spent = Spent::new();
        let mut locked = sending;
        let (sending, after) = locked.parts();
        let Some(stream) = &sending.stream else { return Poll::Ready(()) };
        let written = match ready!(stream.poll_write_ready(context)) {
            Err(error) => Err(error),
            Ok(()) if allowed == 0 => stream.try_flush().map(|()| 0),
            Ok(()) => {
                let mut slices = [IoSlice::new(&[]); GATHER];
                let filled = sending.outbox.gather(&mut slices, allowed);
                stream.try_write_vectored(&slices[..filled])
            }
        };
        match written {
            Ok(written) => {
                let completed = sending.outbox.advance(written, |message| spent.push(message));
                if let Some(turn) = &mut sending.turn {
                    turn.ahead -= completed;
                }
                sending.line.serve(&mut sending.outbox, after);
                sending.took(written);
                self.note_activity();
                locked.moved();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.note_failure(&mut locked, &error),
        }
        Poll::Ready(())
    }

    /// No more is taken, nor served that still waits for room; the end of the stream follows what
    /// is queued.
    pub(crate) fn begin_finish(&self) {
        let mut sending = self.locked();
        if sending.end == End::Open {
            sending.end = End::Due;
        }
        let loss = sending.refuse_all();
        self.observer.dropped(loss);
        sending.wake_task();
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
        if sending.end == End::Sent {
            return Some(Ok(()));
        }
        sending.broken().map(Err)
    }
}

/// Sends the end of the stream behind the last byte; never behind bytes that are missing.
fn end_if_due(sending: &mut Locked<'_>) {
    if sending.end != End::Due || !sending.is_idle() {
        return;
    }
    sending.end = End::Sent;
    if !sending.withholds_end {
        // It fails only where the peer is gone, and then there is none to tell.
        sending.end_is_held = sending.stream.as_ref().is_some_and(|stream| stream.end().is_ok());
    }
    sending.moved();
}
