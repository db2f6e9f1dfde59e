//! How a connection is cut: by a reset, whoever closes its socket and when.

use std::time::Duration;

use socket2::SockRef;

use super::sending::{End, Sending};
use super::{Closing, Link};
use crate::close_reason::CloseReason;
use crate::events::lock;

impl Sending {
    /// Bytes are missing from the stream. From here on every close of the socket is a reset, that of
    /// a process which ends at once, too.
    fn truncate(&mut self) {
        self.truncated = true;
        self.make_close_a_reset();
    }

    /// See [`Sending::truncate`].
    pub(super) fn make_close_a_reset(&self) {
        if let Some(stream) = &self.stream {
            // It fails only on a socket that is already gone.
            let _ = SockRef::from(stream.tcp()).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Link {
    /// Ends the connection by a reset, so that the peer does not take its stream for whole.
    pub(crate) fn abort(&self, reason: CloseReason) {
        lock(&self.sending).truncate();
        self.close(Closing::Abort(reason));
    }

    /// As [`Link::abort`], and drops at once what waits; not where the end of the stream is out
    /// behind all of it, and nobody serves the connection any more, or `even_served`. Then the
    /// kernel goes on sending what it has.
    pub(crate) fn cut_off(&self, reason: CloseReason, even_served: bool) {
        let mut locked = self.locked();
        let (sending, after) = locked.parts();
        let is_ended = sending.end == End::Sent && !sending.withholds_end;
        let is_whole = is_ended && (even_served || sending.is_served);
        if is_whole || sending.stream.is_none() {
            return;
        }
        let cut = sending.outbox.cut();
        sending.truncate();
        // Before anybody learns that nothing can be sent any more.
        sending.closing = Some(Closing::Abort(reason));
        let loss = sending.lose_all(after);
        self.observer.cut(cut);
        self.observer.dropped(loss);
        locked.moved();
        locked.wake_task();
    }

    /// The handler is done: what is left to do is to send what is queued.
    pub(crate) fn end_service(&self) {
        lock(&self.sending).is_served = true;
        self.begin_finish();
    }

    /// Has the stream end in a reset, unless its end was asked for already, or the connection broke
    /// by itself; says whether it does.
    pub(crate) fn cut_short(&self) -> bool {
        let broke = self.read_failure().is_some();
        let mut sending = lock(&self.sending);
        let cut = !broke && sending.end == End::Open && sending.failed.is_none();
        if cut {
            sending.truncate();
        }
        cut
    }
}
