//! Whether more comes from the peer, and anybody reads it.

use std::io::{self, IsTerminal as _};

use tokio_util::sync::CancellationToken;

use crate::output::{Terminal, stop_when_gone};

/// What comes from a peer and goes to standard output.
#[derive(Debug)]
pub(in crate::commands) struct Incoming {
    peer_ended: CancellationToken,
    /// Cancelled as soon as nobody reads standard output, where that is known before anything is written.
    unread: CancellationToken,
}

impl Incoming {
    pub(in crate::commands) fn begin() -> Self {
        let incoming =
            Self { peer_ended: CancellationToken::new(), unread: CancellationToken::new() };
        stop_when_gone(io::stdout(), &incoming.unread);
        incoming
    }

    /// Nothing more comes from the peer.
    pub(in crate::commands) fn end(&self) {
        self.peer_ended.cancel();
    }

    /// Whether nothing more comes from the peer.
    pub(in crate::commands) fn has_ended(&self) -> bool {
        self.peer_ended.is_cancelled()
    }

    /// Until nothing more comes from the peer.
    pub(in crate::commands) async fn ended(&self) {
        self.peer_ended.cancelled().await;
    }

    /// Until nobody reads what comes.
    pub(in crate::commands) async fn unread(&self) {
        self.unread.cancelled().await;
    }

    /// Until one of both: input is all there is to wait for.
    pub(in crate::commands) async fn over(&self) {
        tokio::select! {
            () = self.ended() => {}
            () = self.unread() => {}
        }
    }

    /// Says that nobody waits for more input. A user at a terminal sees that it is over; a program that
    /// would have written more does not.
    pub(in crate::commands) fn tell_silence(&self, terminal: Terminal) {
        let is_typed = io::stdin().is_terminal();
        let silent = "input was silent for 0.5 s: done";
        let not_sent = "what comes later is not sent";
        match (self.has_ended(), is_typed) {
            (true, true) => terminal.note(&format!("the peer ended its stream, and {silent}")),
            (true, false) => {
                terminal.warn(&format!("the peer ended its stream, and {silent}; {not_sent}"));
            }
            // Who has read enough knows.
            (false, true) => {}
            (false, false) => {
                terminal.warn(&format!("nobody reads standard output, and {silent}; {not_sent}"));
            }
        }
    }
}
