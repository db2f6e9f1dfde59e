//! What a pipe has taken and not passed on yet, where the second signal sees it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use ports_core::Transport;
use stats::Role;
use tokio::net::TcpStream;

use super::socket::Socket;
use crate::commands::conversation::losses::Lost;
use crate::commands::conversation::session::Session;
use crate::commands::conversation::streams::has_an_end_to_come;

/// See the module's first line.
#[derive(Debug, Default)]
pub(super) struct InHand {
    /// Bytes of standard input that the kernel has not taken.
    pub(super) for_peer: AtomicU64,
    /// Bytes of the peer that standard output has not taken.
    pub(super) of_peer: AtomicU64,
    /// The end of the stream is with the kernel, behind all data.
    pub(super) is_ended: AtomicBool,
    pub(super) socket: Socket,
    /// Where in its stream, as [`Socket::taken`] counts, the data for the peer ends; once its end
    /// follows.
    data_end: Mutex<Option<u64>>,
    /// What was lost, once the conversation is over and has counted it.
    settled: Mutex<Option<Lost>>,
}

impl InHand {
    /// No more data follows: what comes behind it is not the peer's to take.
    pub(super) fn end_data(&self) {
        *self.data_end.lock().unwrap_or_else(PoisonError::into_inner) = self.socket.taken();
    }

    /// Bytes that the kernel holds for the peer, up to the end of data: what TLS says behind it the
    /// peer need not take. 0 where the system does not tell.
    pub(super) fn unacknowledged(&self) -> u64 {
        let data_end = *self.data_end.lock().unwrap_or_else(PoisonError::into_inner);
        let end = data_end.or_else(|| self.socket.taken());
        let acknowledged = self.socket.acknowledged();
        end.zip(acknowledged).map_or(0, |(end, acknowledged)| end.saturating_sub(acknowledged))
    }

    /// Whether the peer has been told by the stream's end that it is whole, or is to take it for
    /// that: what a user types has no end but the one that they make.
    pub(super) fn is_whole(&self) -> bool {
        self.is_ended.load(Relaxed) || !has_an_end_to_come()
    }

    /// What is lost, for whoever tells it: the end of the conversation, or the second signal before
    /// that.
    pub(super) fn settle(&self) -> Lost {
        let lost = self.take();
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
        lost
    }

    /// What is lost if it is all over now. Input that was not sent is counted by who takes it.
    fn take(&self) -> Lost {
        Lost {
            unacknowledged: self.unacknowledged(),
            unsent: self.for_peer.swap(0, Relaxed),
            unwritten: self.of_peer.load(Relaxed),
        }
    }

    /// From here on the second signal resets the connection where its stream is not whole, or where
    /// that loses anything.
    pub(super) fn reset_at_second(
        self: &Arc<Self>,
        tcp: &TcpStream,
        peer: SocketAddr,
        session: &Session,
    ) {
        self.socket.hold(tcp);
        let (held, stats, terminal) = (Arc::clone(self), session.stats.clone(), session.terminal);
        session.at_second(move || {
            let settled = held.settled.lock().unwrap_or_else(PoisonError::into_inner).take();
            let lost = settled.unwrap_or_else(|| {
                let lost = held.take();
                if lost.unsent > 0 {
                    stats.dropped(Transport::Tcp, Role::Server, 1, lost.unsent);
                }
                lost
            });
            if lost.unsent + lost.unwritten > 0 || !held.is_whole() {
                held.socket.make_close_a_reset();
            }
            if let Some(text) = lost.in_words(&peer) {
                terminal.warn(&text);
            }
        });
    }
}
