//! What a connection's task does for its sending direction: flushing, and the end of the stream.

use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll};

use super::receiving::remember;
use super::sending::{End, Sending, wake_task};
use super::{Closing, Link};
use crate::events::lock;
use crate::outbox::GATHER;

/// How many writes in a row, before others have their turn: a peer may read as fast as that.
const WRITES: usize = 64;

impl Link {
    /// The connection's task: flushes, sends the end of the stream when it is due, and says when
    /// the connection is to be closed (a finish only while it is `serving`).
    pub(crate) fn poll_service(&self, context: &mut Context<'_>, serving: bool) -> Poll<Closing> {
        let mut guard = lock(&self.sending);
        let sending = &mut *guard;
        remember(&mut sending.task, context);
        match sending.closing {
            Some(closing @ Closing::Abort(_)) => return Poll::Ready(closing),
            Some(closing @ Closing::Finish(_)) if serving => return Poll::Ready(closing),
            _ => {}
        }
        for _ in 0..WRITES {
            let allowed = sending.turn.map_or(usize::MAX, |turn| turn.ahead);
            let Some(stream) = &sending.stream else { return Poll::Pending };
            if sending.is_broken() {
                return Poll::Pending;
            }
            let nothing_queued = sending.outbox.is_empty() || allowed == 0;
            if nothing_queued {
                // Behind all data, so that it is known which of the two a peer resets.
                if sending.end == End::Due && sending.is_idle() && !stream.has_unsent() {
                    stream.begin_end();
                }
                // What the stream itself still holds: in the turn of a `write_all`, that writes it.
                if sending.turn.is_some() || !stream.has_unsent() {
                    self.end_if_due(sending);
                    return Poll::Pending;
                }
            }
            let written = match stream.poll_write_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => Err(error),
                Poll::Ready(Ok(())) if nothing_queued => stream.try_flush().map(|()| 0),
                Poll::Ready(Ok(())) => {
                    let mut slices = [IoSlice::new(&[]); GATHER];
                    let filled = sending.outbox.gather(&mut slices, allowed);
                    stream.try_write_vectored(&slices[..filled])
                }
            };
            match written {
                Ok(written) => {
                    let completed = sending.outbox.advance(written);
                    if let Some(turn) = &mut sending.turn {
                        turn.ahead -= completed;
                    }
                    sending.line.serve(&mut sending.outbox);
                    sending.took(written);
                    self.note_activity();
                    self.progress.notify_waiters();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.note_failure(sending, &error);
                    return Poll::Pending;
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends the end of the stream behind the last byte; never behind bytes that are missing.
    fn end_if_due(&self, sending: &mut Sending) {
        if sending.end != End::Due || !sending.is_idle() {
            return;
        }
        sending.end = End::Sent;
        if let Some(stream) = &sending.stream {
            // It fails only where the peer is gone, and then there is none to tell.
            sending.end_is_held = stream.end().is_ok();
        }
        self.progress.notify_waiters();
    }

    /// No more is taken, nor served that still waits for room; the end of the stream follows what
    /// is queued.
    pub(crate) fn begin_finish(&self) {
        let mut sending = lock(&self.sending);
        if sending.end == End::Open {
            sending.end = End::Due;
        }
        sending.line.refuse_all();
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
        if sending.end == End::Sent {
            return Some(Ok(()));
        }
        sending.broken().map(Err)
    }
}
