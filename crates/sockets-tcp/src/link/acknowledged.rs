//! The end of a connection that this side made: whether the peer took what was sent last.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Link;
use crate::events::lock;

/// How long is waited at first before it is looked again; then twice as long, up to the longest.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(50);

impl Link {
    /// Waits until the peer has acknowledged all that was sent, or has reset the connection instead,
    /// which is noted: a peer whose socket was closed already takes nothing any more, and says so
    /// in that way only (RFC 9293 section 3.10.7.1). Nobody else would notice: what was sent last is
    /// followed by no other call. Not for longer than `patience`.
    ///
    /// Acknowledged is not read: what its kernel still held when the peer went is lost unseen. Over
    /// TLS nothing is waited for: there a peer may close its socket behind its own end, and then
    /// resets the connection for the end that answers it.
    pub(crate) async fn end_acknowledged(&self, patience: Duration) {
        let Some(stream) = lock(&self.sending).stream.clone() else { return };
        if !stream.is_plain() {
            return;
        }
        let (deadline, mut look) = (Instant::now() + patience, FIRST_LOOK);
        while self.waits_for_acknowledgement() && Instant::now() < deadline {
            sleep(look).await;
            look = (look * 2).min(LONGEST_LOOK);
        }
        if self.all_acknowledged() {
            return;
        }
        let mut sending = lock(&self.sending);
        if let (None, Ok(Some(error))) = (sending.failed, stream.tcp().take_error()) {
            self.note_failure(&mut sending, &error);
        }
    }

    #[cfg(target_os = "linux")]
    fn waits_for_acknowledgement(&self) -> bool {
        self.tcp_info().is_some_and(|info| info.unacked > 0)
    }

    /// Whether the peer acknowledged all data. Of one that has nothing more to take, a reset in
    /// answer to the end of the stream costs nothing.
    #[cfg(target_os = "linux")]
    fn all_acknowledged(&self) -> bool {
        let acked = self.tcp_info().and_then(|info| info.bytes_acked);
        // The kernel counts this side's SYN, too.
        acked.is_none_or(|acked| acked > lock(&self.sending).bytes_out)
    }

    /// Elsewhere it is not known.
    #[cfg(not(target_os = "linux"))]
    fn waits_for_acknowledgement(&self) -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    fn all_acknowledged(&self) -> bool {
        true
    }
}
