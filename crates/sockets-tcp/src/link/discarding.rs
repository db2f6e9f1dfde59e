//! What comes when nobody is to read it any more: thrown away, counted, and told to the peer.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::Link;
use super::receiving::Receiving;
use super::sending::End;
use crate::events::lock;

/// How much is thrown away at once while waiting for the peer's end.
const DISCARD: usize = 4096;
/// How often in a row, before others have their turn: a peer may send faster than that.
const DISCARDS: usize = 64;

/// Whether the kernel says what the peer has acknowledged. Where it does not, no reset is asked for: it
/// might overtake this end's last bytes.
const RESETS_AFTER_LAST_BYTES: bool = cfg!(target_os = "linux");

impl Receiving {
    /// What the kernel holds that nobody has read. Of TLS it is not known what of it is data.
    pub(super) fn unread_data(&self) -> u64 {
        match &self.stream {
            Some(stream) if stream.is_plain() && !self.peer_ended && self.failed.is_none() => {
                self.unread()
            }
            _ => 0,
        }
    }
}

impl Link {
    /// The handler is done. Where the end of the server came before that of the peer's stream, what
    /// still comes was meant for a handler, and nobody handles it: the peer is told by a reset, as by a
    /// kernel that closes a socket with unread input.
    pub(crate) fn end_reading(&self) {
        let mut receiving = lock(&self.receiving);
        receiving.is_cut = receiving.is_draining();
    }

    /// Whether [`end_reading`](Self::end_reading) found the peer's stream cut.
    pub(crate) fn is_input_cut(&self) -> bool {
        lock(&self.receiving).is_cut
    }

    /// Whether bytes of a stream that was cut came and were thrown away.
    pub(crate) fn is_input_lost(&self) -> bool {
        self.discarded() > 0 && self.is_input_cut()
    }

    /// Bytes that came when nobody was to read them any more.
    pub(crate) fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }

    fn discard(&self, receiving: &mut Receiving, bytes: u64) {
        if bytes > 0 {
            receiving.inbound.discarded(bytes);
            self.discarded.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// What is left goes with the socket.
    pub(super) fn discard_unread(&self, receiving: &mut Receiving) {
        self.discard(receiving, receiving.unread_data());
    }

    /// Whether the peer is to see a reset once it has acknowledged all that it was sent.
    pub(crate) fn is_to_be_reset(&self) -> bool {
        RESETS_AFTER_LAST_BYTES && self.is_input_lost()
    }

    /// Reads to the peer's end and throws away what comes; that end is no half-close, as it comes
    /// behind this one. A peer that waits to be read may not take the last bytes before; and closing a
    /// socket with unread input resets the connection (RFC 9293 section 3.6.1), which may overtake what
    /// the peer has not read yet.
    pub(crate) fn poll_discard(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut guard = lock(&self.receiving);
        let receiving = &mut *guard;
        let Some(stream) = receiving.stream.clone() else { return Poll::Ready(()) };
        if receiving.peer_ended || receiving.failed.is_some() {
            return Poll::Ready(());
        }
        let mut scratch = [0; DISCARD];
        for _ in 0..DISCARDS {
            let Poll::Ready(result) = stream.poll_read(context, &mut scratch) else {
                return Poll::Pending;
            };
            match result {
                Ok(0) => {
                    // Where it is a reset that a write was told, it is noted as one.
                    let _ = self.end_of_input(receiving);
                    return Poll::Ready(());
                }
                Ok(read) => self.discard(receiving, read as u64),
                // Over TLS, without its `close_notify`: that cuts short what nobody is to read any
                // more (RFC 8446 section 6.1: who has got the other's need not send its own).
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    receiving.end();
                    return Poll::Ready(());
                }
                Err(error) => {
                    self.note_read_failure(guard, &error);
                    return Poll::Ready(());
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// As [`poll_discard`](Self::poll_discard), while the end of this side's stream is not out yet: where
    /// something was lost that end would say that all is well, and is withheld.
    pub(crate) fn poll_discard_before_end(&self, context: &mut Context<'_>) -> Poll<()> {
        let discarded = self.poll_discard(context);
        let is_lost = {
            let receiving = lock(&self.receiving);
            // The poller may not have told of it yet.
            receiving.is_cut && (self.discarded() > 0 || receiving.unread_data() > 0)
        };
        if RESETS_AFTER_LAST_BYTES && is_lost {
            let mut sending = lock(&self.sending);
            sending.withholds_end = sending.end != End::Sent;
        }
        discarded
    }

    /// What was thrown away of the peer's bytes, and what would be if the connection ended now.
    pub(crate) fn undelivered(&self) -> u64 {
        let receiving = lock(&self.receiving);
        self.discarded() + receiving.unread_data()
    }
}
