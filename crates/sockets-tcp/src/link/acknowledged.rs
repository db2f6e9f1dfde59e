//! What the peer took of what was sent, and whether it took the last of it.

use super::Link;
use super::sending::Sending;
use crate::events::lock;

impl Sending {
    /// How many bytes the peer took. Where the kernel does not say what was acknowledged: how many
    /// the kernel took, which moves in larger and rarer steps.
    pub(super) fn taken_by_peer(&self) -> u64 {
        #[cfg(target_os = "linux")]
        if let Some(stream) = &self.stream
            && let Ok(info) = sockets_sys::tcp_info(stream.tcp())
            && let Some(acked) = info.bytes_acked
        {
            return acked;
        }
        self.bytes_out
    }

    /// How many bytes up to the last one of data the kernel holds that the peer has not acknowledged,
    /// over TLS those of its records; 0 where the kernel does not say.
    ///
    /// What TLS says behind the data is left out: a peer that has ended its session may have closed
    /// its socket, and then resets the connection for the end that answers its own. Nothing is lost
    /// by that.
    pub(super) fn unacknowledged(&self) -> usize {
        if self.stream.is_none() {
            return self.unacknowledged_at_end;
        }
        #[cfg(target_os = "linux")]
        if let Some(stream) = &self.stream
            && let Ok(held) = sockets_sys::unacknowledged_bytes(stream.tcp())
        {
            let without_end = held.saturating_sub(usize::from(self.end_is_held));
            return stream.up_to_data(without_end);
        }
        0
    }
}

impl Link {
    /// See [`Sending::unacknowledged`].
    pub(crate) fn unacknowledged(&self) -> usize {
        lock(&self.sending).unacknowledged()
    }

    /// How many bytes were accepted for the peer that it has not acknowledged: those that wait here,
    /// and those that the kernel holds.
    pub(crate) fn outstanding(&self) -> usize {
        let mut sending = lock(&self.sending);
        sending.settle();
        sending.queued().bytes + sending.unacknowledged()
    }

    /// Whether the peer has reset the connection instead of acknowledging what was sent last, which
    /// is noted then: a peer whose socket was closed already takes nothing any more, and says so in
    /// that way only (RFC 9293 section 3.10.7.1). Nobody else would notice: what was sent last is
    /// followed by no other call.
    ///
    /// Acknowledged is not read: what its kernel still held when the peer went is lost unseen.
    pub(crate) fn note_late_reset(&self) -> bool {
        let mut sending = self.locked();
        let Some(stream) = sending.stream.clone() else { return false };
        if let (None, Ok(Some(error))) = (sending.failed, stream.tcp().take_error()) {
            self.note_failure(&mut sending, &error);
        }
        sending.failed.is_some()
    }
}
