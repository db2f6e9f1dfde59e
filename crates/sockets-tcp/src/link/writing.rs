//! A write from the caller's own buffer: its turn among the queued messages, and its end.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::task::coop::consume_budget;

use super::locked::Locked;
use super::{Closing, Link};
use crate::events::lock;
use crate::outbox::Loss;

/// A `write_all` under way: it writes from the caller's buffer once the messages that were queued
/// before it are out, and everything queued since waits for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Queued messages that go first.
    pub(super) ahead: usize,
    /// Bytes that are still to be written.
    pub(super) remaining: usize,
    /// Some of its bytes are out.
    started: bool,
}

impl Link {
    /// Writes all of `data` without copying it, after what was queued before. One at a time.
    pub(crate) async fn write_all(&self, data: &[u8]) -> io::Result<()> {
        // A writer whose peer always reads gives others their turn.
        consume_budget().await;
        let mut written = 0;
        {
            let mut sending = self.locked();
            if let Some(error) = sending.error() {
                self.note_unwritten(&mut sending, data.len());
                return Err(error);
            }
            if data.is_empty() {
                return Ok(());
            }
            if sending.is_idle() {
                written = self
                    .write_directly(&mut sending, data)
                    .inspect_err(|_| self.note_unwritten(&mut sending, data.len()))?;
            }
            if written == data.len() {
                if sending.has_unsent() {
                    sending.wake_task();
                }
                return Ok(());
            }
            let ahead = sending.outbox.len();
            let remaining = data.len() - written;
            sending.turn = Some(Turn { ahead, remaining, started: written > 0 });
        }
        // In the heap: it waits anyway, and a task that never does is smaller by it.
        Box::pin(self.write_rest(data, written, TurnGuard { link: self })).await
    }

    async fn write_rest(
        &self,
        data: &[u8],
        mut written: usize,
        _turn: TurnGuard<'_>,
    ) -> io::Result<()> {
        loop {
            let mut progress = pin!(self.progress.notified());
            progress.as_mut().enable();
            let blocked = {
                let mut sending = self.locked();
                let Some(turn) = sending.turn else {
                    return Err(sending
                        .error()
                        .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()));
                };
                let my_turn = turn.ahead == 0;
                if my_turn {
                    written += self.write_directly(&mut sending, &data[written..])?;
                    if written == data.len() {
                        sending.turn = None;
                        sending.wake_task();
                        sending.moved();
                        return Ok(());
                    }
                    let remaining = data.len() - written;
                    sending.turn = Some(Turn { remaining, started: written > 0, ..turn });
                }
                my_turn
            };
            tokio::select! {
                () = poll_fn(|context| self.poll_writable(context)), if blocked => {}
                () = progress => {}
            }
        }
    }

    /// Until the socket may take more, or the next write tells why it will not. The connection's
    /// task waits for the same only while it is not this write's turn.
    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        match &lock(&self.sending).stream {
            Some(stream) => stream.poll_write_ready(context).map(drop),
            None => Poll::Ready(()),
        }
    }

    /// One write; 0 where the socket is full.
    fn write_directly(&self, sending: &mut Locked<'_>, data: &[u8]) -> io::Result<usize> {
        let Some(stream) = &sending.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        match stream.try_write(data) {
            Ok(written) => {
                sending.took(written);
                self.note_activity();
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => {
                self.note_failure(sending, &error);
                Err(error)
            }
        }
    }
}

/// Gives the turn back where a `write_all` is given up before its end.
struct TurnGuard<'a> {
    link: &'a Link,
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        let mut locked = self.link.locked();
        let (sending, after) = locked.parts();
        let Some(turn) = sending.turn.take() else { return };
        let mut loss = Loss::message(turn.remaining);
        if turn.started || matches!(sending.closing, Some(Closing::Abort(_))) {
            // Nothing may follow a gap: what is queued is lost with it.
            sending.lose(loss);
            loss += sending.lose_all(after);
        } else {
            sending.drop_whole(loss);
        }
        self.link.observer.dropped(loss);
        locked.moved();
        locked.wake_task();
    }
}
