//! Messages that were on their way to a connection when they, or it, were given up.

use std::io::ErrorKind;

use super::locked::{After, Locked};
use super::sending::{End, Sending};
use super::{Closing, Link};
use crate::close_reason::CloseReason;
use crate::events::lock;
use crate::outbox::Loss;

impl Sending {
    /// Whether the end of the server cut the stream. What others had in hand for it then is missing
    /// from it, and none of them is left to tell.
    fn is_cut(&self) -> bool {
        let by_server = Closing::Abort(CloseReason::Shutdown);
        // A connection that is buried failed by that; by anything else, it was gone before.
        let was_there = matches!(self.failed, None | Some(ErrorKind::NotConnected))
            && self.closing.is_none_or(|closing| closing == by_server);
        self.server_ends && was_there && self.end == End::Open
    }

    /// Whether what waits for room when the connection ends is lost with it: to its cut by the server, or
    /// to a peer that was given up because others wait for it. Elsewhere the end came from the peer, or was
    /// asked for, and who waits learns that he sends to nobody.
    fn loses_waiting(&self) -> bool {
        self.is_cut() || self.closing == Some(Closing::Abort(CloseReason::SlowPeer))
    }

    /// Nobody who waits for room now will be served; what is lost with that.
    pub(super) fn refuse_all(&mut self, after: &mut After<'_>) -> Loss {
        let loss = if self.loses_waiting() { self.line.load() } else { Loss::default() };
        self.line.refuse_all(after);
        self.lose(loss);
        loss
    }
}

impl Link {
    /// The server is about to end all its connections: this one is no longer read, and what others have
    /// in hand for it is missing where it does not take that any more.
    pub(crate) fn halt(&self) {
        lock(&self.receiving).halt();
        lock(&self.sending).server_ends = true;
    }

    /// Counts a message that its sender had in hand for this connection and gave up: one that the
    /// connection would still have taken, or that the end of the server cut it off from.
    pub(crate) fn missed(&self, bytes: usize) {
        self.note_missed(&mut self.locked(), bytes);
    }

    /// As [`Link::missed`]. At the end of the server it may come behind the event of the connection's
    /// own end, as its sender may learn of that later.
    pub(super) fn note_missed(&self, sending: &mut Locked<'_>, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let loss = Loss::message(bytes);
        if sending.is_cut() {
            sending.lose(loss);
        } else if sending.error().is_none() {
            sending.drop_whole(loss);
        } else {
            return;
        }
        self.observer.dropped(loss);
    }

    /// Counts a write that the connection's failure or its closing refused, or that failed at once.
    #[cold]
    pub(super) fn note_unwritten(&self, sending: &mut Locked<'_>, bytes: usize) {
        // Behind an end, or a gap, that the handler itself made, nothing was to follow.
        let is_own =
            sending.end != End::Open || sending.failed.is_none() && sending.closing.is_none();
        if !is_own {
            self.note_given_up(sending, bytes);
        }
    }

    /// Counts what the connection's own handler had in hand for it, and will not write any more.
    pub(crate) fn gave_up(&self, bytes: usize) {
        let mut sending = self.locked();
        if sending.end == End::Open {
            self.note_given_up(&mut sending, bytes);
        }
    }

    fn note_given_up(&self, sending: &mut Locked<'_>, bytes: usize) {
        if sending.stream.is_none() || bytes == 0 {
            return;
        }
        let loss = Loss::message(bytes);
        if sending.is_broken() || matches!(sending.closing, Some(Closing::Abort(_))) {
            sending.lose(loss);
        } else {
            sending.drop_whole(loss);
        }
        self.observer.dropped(loss);
    }

    /// Whether [`Link::close`] has counted what waited for room.
    pub(crate) fn loses_waiting(&self) -> bool {
        lock(&self.sending).loses_waiting()
    }
}
