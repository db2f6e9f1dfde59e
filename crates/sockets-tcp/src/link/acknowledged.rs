//! The end of a connection that this side made: whether the peer took what was sent last.

use super::Link;
use crate::events::lock;
use crate::stream::Stream;

impl Link {
    /// Whether the peer has reset the connection instead of acknowledging what was sent last, which
    /// is noted then: a peer whose socket was closed already takes nothing any more, and says so in
    /// that way only (RFC 9293 section 3.10.7.1). Nobody else would notice: what was sent last is
    /// followed by no other call.
    ///
    /// Acknowledged is not read: what its kernel still held when the peer went is lost unseen. Over
    /// TLS it is never so: there a peer may close its socket behind its own end, and then resets the
    /// connection for the end that answers it.
    pub(crate) fn note_late_reset(&self) -> bool {
        let mut sending = lock(&self.sending);
        let Some(stream) = sending.stream.clone() else { return false };
        if !stream.is_plain() {
            return false;
        }
        if let (None, Ok(Some(error))) = (sending.failed, stream.tcp().take_error()) {
            self.note_failure(&mut sending, &error);
        }
        sending.failed.is_some()
    }

    /// Whether there is no TLS over it.
    pub(crate) fn is_plain(&self) -> bool {
        lock(&self.sending).stream.as_deref().is_some_and(Stream::is_plain)
    }
}
