//! What a pipe has taken and not passed on yet, where the second signal sees it.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ports_core::Transport;
use socket2::SockRef;
use stats::Role;
use tokio::net::TcpStream;

use crate::commands::connect::session::Session;

/// See the module's first line.
#[derive(Debug, Default)]
pub(super) struct InHand {
    /// Bytes of standard input that the kernel has not taken.
    pub(super) for_peer: AtomicUsize,
    /// Bytes of the peer that standard output has not taken.
    pub(super) of_peer: AtomicUsize,
    /// The connection once more.
    socket: Mutex<Option<OwnedFd>>,
}

impl InHand {
    /// From here on the second signal resets the connection where that loses anything.
    pub(super) fn reset_at_second(
        self: &Arc<Self>,
        tcp: &TcpStream,
        peer: SocketAddr,
        session: &Session,
    ) {
        // Where there is no descriptor left, the connection ends as the kernel ends it.
        *self.socket() = tcp.as_fd().try_clone_to_owned().ok();
        let (held, stats, terminal) = (Arc::clone(self), session.stats.clone(), session.terminal);
        session.at_second(move || {
            let (unsent, unwritten) =
                (held.for_peer.swap(0, Relaxed), held.of_peer.swap(0, Relaxed));
            if let Some(socket) = &*held.socket()
                && unsent + unwritten > 0
            {
                // It fails only on a socket that is gone.
                let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
            }
            if unsent > 0 {
                stats.dropped(Transport::Tcp, Role::Server, 1, unsent as u64);
                terminal.warn(&format!("{unsent} bytes of input did not get to {peer}"));
            }
        });
    }

    /// The connection is about to be closed.
    pub(super) fn let_go(&self) {
        self.socket().take();
    }

    fn socket(&self) -> std::sync::MutexGuard<'_, Option<OwnedFd>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
