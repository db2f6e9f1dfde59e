//! What a connection did not send, and the next one of the same client is to send.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Link;
use crate::events::lock;
use crate::outbox::Loss;

impl Link {
    /// From now on whole messages that are not sent when the connection is lost are kept, not
    /// dropped. A message of which a part is sent is lost all the same.
    pub(crate) fn keep_unsent(&self) {
        lock(&self.sending).kept.get_or_insert_default();
    }

    /// Takes in what an earlier connection did not send, or was accepted before there was one.
    /// Nothing is queued here yet, and the bounds are the same.
    pub(crate) fn preload(&self, messages: VecDeque<Bytes>) {
        let mut sending = self.locked();
        for message in messages {
            sending.outbox.push(message);
        }
        sending.wake_task();
    }

    /// What was kept, in order.
    pub(crate) fn take_kept(&self) -> VecDeque<Bytes> {
        lock(&self.sending).kept.take().unwrap_or_default()
    }

    /// There is no next connection: what was kept is lost, and told so. Whoever comes here second, as
    /// both the connection's task and who ends the client do, finds it told.
    pub(crate) fn lose_kept(&self) {
        let mut sending = lock(&self.sending);
        let kept = sending.kept.take().unwrap_or_default();
        let loss = Loss { messages: kept.len(), bytes: kept.iter().map(Bytes::len).sum() };
        sending.lose(loss);
        self.observer.dropped(loss);
        drop(sending);
        // Not under the lock: their owner's code may run.
        drop(kept);
    }
}
