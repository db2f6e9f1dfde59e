//! A connection that fails: who is told, and what is lost with it.

use std::io;
use std::pin::pin;

use stats::ErrorKind;

use super::Link;
use super::locked::Locked;
use crate::events::lock;

impl Link {
    /// Why sending failed, if it did.
    pub(crate) fn write_failure(&self) -> Option<io::ErrorKind> {
        lock(&self.sending).failed
    }

    /// As [`Link::note_failure`], where none was noted.
    pub(super) fn note_write_failure(&self, error: &io::Error) {
        let mut sending = self.locked();
        if sending.failed.is_none() {
            self.note_failure(&mut sending, error);
        }
    }

    pub(super) fn note_failure(&self, sending: &mut Locked<'_>, error: &io::Error) {
        sending.outbound.error(ErrorKind::Write);
        self.observer.write_failed(error);
        self.fail(sending, error.kind());
    }

    /// Notes a failure that is told and counted already.
    pub(super) fn fail_with(&self, kind: io::ErrorKind) {
        let mut sending = self.locked();
        if sending.failed.is_none() {
            self.fail(&mut sending, kind);
        }
    }

    /// The connection's task has to know: its handler may wait for something else.
    fn fail(&self, locked: &mut Locked<'_>, kind: io::ErrorKind) {
        locked.failed = Some(kind);
        let cut = locked.outbox.cut();
        let (sending, after) = locked.parts();
        let loss = sending.lose_all(after);
        locked.moved();
        locked.wake_task();
        self.observer.cut(cut);
        self.observer.dropped(loss);
    }

    /// Resolves once the connection has failed, as a read or a write was told, or is over.
    pub(crate) async fn closed(&self) {
        loop {
            let mut progress = pin!(self.progress.notified());
            progress.as_mut().enable();
            if self.write_failure().is_some() {
                return;
            }
            progress.await;
        }
    }
}
