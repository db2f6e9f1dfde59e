//! A write from the caller's own buffer: its turn among the queued messages, and its end.

use std::io;
use std::pin::pin;

use super::Link;
use super::sending::{Sending, wake_task};
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
}

impl Link {
    /// Writes all of `data` without copying it, after what was queued before. One at a time.
    pub(crate) async fn write_all(&self, data: &[u8]) -> io::Result<()> {
        let mut written = 0;
        {
            let mut sending = lock(&self.sending);
            if let Some(error) = sending.error() {
                return Err(error);
            }
            if sending.is_idle() {
                written = self.write_directly(&mut sending, data)?;
            }
            if written == data.len() {
                return Ok(());
            }
            let ahead = sending.outbox.len();
            sending.turn = Some(Turn { ahead, remaining: data.len() - written });
        }
        let _turn = TurnGuard { link: self, started: written > 0 };
        self.write_rest(data, written).await
    }

    async fn write_rest(&self, data: &[u8], mut written: usize) -> io::Result<()> {
        loop {
            let mut progress = pin!(self.progress.notified());
            progress.as_mut().enable();
            let blocked = {
                let mut sending = lock(&self.sending);
                if sending.failed.is_some() || sending.turn.is_none() {
                    return Err(sending
                        .error()
                        .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()));
                }
                let my_turn = sending.turn.is_some_and(|turn| turn.ahead == 0);
                if my_turn {
                    written += self.write_directly(&mut sending, &data[written..])?;
                    if written == data.len() {
                        sending.turn = None;
                        wake_task(sending);
                        self.progress.notify_waiters();
                        return Ok(());
                    }
                    if let Some(turn) = &mut sending.turn {
                        turn.remaining = data.len() - written;
                    }
                }
                my_turn
            };
            tokio::select! {
                ready = self.stream.writable(), if blocked => ready?,
                () = progress => {}
            }
        }
    }

    /// One write; 0 where the socket is full.
    fn write_directly(&self, sending: &mut Sending, data: &[u8]) -> io::Result<usize> {
        match self.stream.try_write(data) {
            Ok(written) => {
                sending.sent(written);
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
    started: bool,
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        let mut sending = lock(&self.link.sending);
        let Some(turn) = sending.turn.take() else { return };
        let loss = Loss::message(turn.remaining);
        sending.truncated |= self.started || turn.ahead == 0;
        sending.lose(loss);
        wake_task(sending);
        self.link.progress.notify_waiters();
        self.link.observer.dropped(loss);
    }
}
