//! What a pipe has taken and not passed on yet, where the second signal sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ports_core::Transport;
use stats::Role;
use tokio::net::TcpStream;

use super::socket::Socket;
use crate::commands::conversation::losses::Lost;
use crate::commands::conversation::session::Session;

/// See the module's first line.
#[derive(Debug, Default)]
pub(super) struct InHand {
    /// Bytes of standard input that the kernel has not taken.
    pub(super) for_peer: AtomicU64,
    /// Bytes of the peer that standard output has not taken.
    pub(super) of_peer: AtomicU64,
    pub(super) socket: Socket,
}

impl InHand {
    /// From here on the second signal resets the connection where that loses anything.
    pub(super) fn reset_at_second(
        self: &Arc<Self>,
        tcp: &TcpStream,
        peer: SocketAddr,
        session: &Session,
    ) {
        self.socket.hold(tcp);
        let (held, stats, terminal) = (Arc::clone(self), session.stats.clone(), session.terminal);
        session.at_second(move || {
            let (unsent, unwritten) =
                (held.for_peer.swap(0, Relaxed), held.of_peer.swap(0, Relaxed));
            if unsent + unwritten > 0 {
                held.socket.make_close_a_reset();
            }
            if unsent > 0 {
                stats.dropped(Transport::Tcp, Role::Server, 1, unsent);
            }
            // What the kernel holds it goes on sending.
            let lost = Lost { unsent, unacknowledged: 0, unwritten };
            if let Some(text) = lost.in_words(&peer) {
                terminal.warn(&text);
            }
        });
    }
}
