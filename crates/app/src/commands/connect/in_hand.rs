//! What a conversation has taken and not passed on yet, where the second signal sees it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sockets_tcp::{CloseReport, TcpClient};

/// See the module's first line.
#[derive(Debug, Default)]
pub(super) struct InHand {
    /// Bytes of standard input that the client has not accepted.
    pub(super) for_peer: AtomicU64,
    /// Bytes of the peer that standard output has not taken.
    pub(super) of_peer: AtomicU64,
    /// Bytes that the peer had not acknowledged, once the conversation is over.
    pub(super) unacknowledged: AtomicU64,
}

/// Bytes that the peer had not acknowledged, on whichever connection.
pub(super) fn unacknowledged(report: &CloseReport) -> u64 {
    (report.unacknowledged_bytes + report.unacknowledged_before) as u64
}

impl InHand {
    /// Ends the connection at once: by a reset unless the end of the stream is out, and all that came is
    /// written. Else the kernel goes on sending what it has.
    pub(super) fn cut(&self, client: &TcpClient) -> CloseReport {
        if self.of_peer.load(Relaxed) > 0 { client.abort() } else { client.cut_off() }
    }
}
