//! What a server says about itself and about what it did.

use std::net::SocketAddr;
use std::time::Duration;

use ports_core::{SocketInfo, SocketState};
use serde::Serialize;

use crate::close_reason::CloseReason;
use crate::link::Link;
use crate::server::ClientId;

/// A server's socket and its counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The first listening socket.
    pub socket: SocketInfo,
    /// Clients connected now.
    pub active: usize,
    /// Clients accepted so far.
    pub accepted: u64,
    /// The most clients it holds at once.
    pub max_connections: usize,
    /// Connections that were reset before they were served: see
    /// [`Refusal`](crate::Refusal), and those for which there was no descriptor.
    pub refused: u64,
    /// Connections that began no TLS session.
    pub handshakes_failed: u64,
}

/// One connected client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its number.
    pub id: ClientId,
    /// Its socket: both addresses and the state.
    pub socket: SocketInfo,
    /// For how long it has been connected.
    pub connected_for: Duration,
    /// Bytes received from it.
    pub bytes_in: u64,
    /// Bytes sent to it.
    pub bytes_out: u64,
    /// Messages that wait to be sent to it.
    pub queued_messages: usize,
    /// Bytes that wait to be sent to it.
    pub queued_bytes: usize,
    /// Messages for it that were dropped.
    pub dropped_messages: usize,
    /// How many bytes of them were not sent.
    pub dropped_bytes: usize,
    /// What the kernel knows of the connection: round-trip time, retransmissions, what the peer
    /// acknowledged. `None` where it is over.
    #[cfg(target_os = "linux")]
    pub tcp: Option<sockets_sys::TcpInfo>,
}

impl ClientInfo {
    pub(crate) fn new(id: ClientId, link: &Link) -> Self {
        let traffic = link.traffic();
        let mut socket = SocketInfo::connected(link.tuple());
        if link.is_closing() {
            // Refused only in a state that this socket, connected one line above, is not in.
            let _ = socket.become_state(SocketState::Closing);
        }
        Self {
            id,
            socket,
            connected_for: link.age(),
            bytes_in: traffic.bytes_in,
            bytes_out: traffic.bytes_out,
            queued_messages: traffic.queued.messages,
            queued_bytes: traffic.queued.bytes,
            dropped_messages: traffic.lost.messages + traffic.dropped.messages,
            dropped_bytes: traffic.lost.bytes + traffic.dropped.bytes,
            #[cfg(target_os = "linux")]
            tcp: link.tcp_info(),
        }
    }
}

/// What became of a broadcast, counted in clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct BroadcastReport {
    /// Clients that will get the message: it is with the kernel or in their outbox.
    pub queued: usize,
    /// Clients for which a message was dropped: this one, or with
    /// [`SlowPolicy::DropOldest`](crate::SlowPolicy::DropOldest) an older one in its favour (such a
    /// client counts as queued, too).
    pub dropped: usize,
    /// Clients whose whole outbox is smaller than the message: under no policy do they get it.
    pub too_large: usize,
    /// Clients disconnected because they were slow.
    pub disconnected: usize,
    /// Clients whose sending direction had already ended; of those that were named, also who is gone.
    pub closed: usize,
}

/// What [`TcpServer::shutdown`](crate::TcpServer::shutdown) did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Connections that came to their proper end: their clients have acknowledged every byte that
    /// was accepted for them, and sent none that nobody read.
    pub drained: usize,
    /// Connections that came as far, and whose clients sent bytes that nobody was to read any more.
    pub unread: Vec<Unread>,
    /// Connections that did not come so far.
    pub cut_off: Vec<CutOff>,
    /// Connections that still waited for their turn and were reset, see
    /// [`Refusal::Shutdown`](crate::Refusal::Shutdown), or whose TLS handshake was under way. Those
    /// that could not even be accepted, for want of descriptors, count too: there is no event of
    /// them, as nobody knows their addresses.
    pub refused: usize,
}

/// A client that went on sending when the server stopped.
///
/// It has acknowledged every byte that was accepted for it, and was reset then, so that it does not take
/// for handled what it sent. Elsewhere than on Linux, where nobody knows what is acknowledged, its
/// connection ended as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Unread {
    /// The client.
    pub client: ClientId,
    /// Its address.
    pub peer: SocketAddr,
    /// Bytes that had come from it and that nobody read: since the shutdown began, or before the handler
    /// ended for it.
    pub bytes: u64,
}

/// A connection that was not done when the grace was over, was reset before, lost bytes, or whose
/// handler failed.
///
/// What was accepted for it and is neither unsent nor unacknowledged, its client has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct CutOff {
    /// The client.
    pub client: ClientId,
    /// Its address.
    pub peer: SocketAddr,
    /// Why it ended: [`CloseReason::Shutdown`] at the end of the grace.
    pub reason: CloseReason,
    /// Bytes accepted for it that the kernel had not taken, and those that others had in hand for it
    /// when the grace was over and could not queue. Where there are any, the connection was reset, so that the client does not take the stream for whole; what the kernel still
    /// held is lost with it.
    pub unsent_bytes: usize,
    /// Bytes that the kernel had taken and the client had not acknowledged, over TLS those of its
    /// records. Where the connection was reset they are lost, as far as they were not under way;
    /// else the kernel goes on sending them, and nobody learns what becomes of them. 0 where the
    /// system does not tell (elsewhere than on Linux).
    pub unacknowledged_bytes: usize,
    /// Bytes that had come from it and that nobody read. Over TLS, what was not decrypted is not known,
    /// and not in this count.
    pub discarded_bytes: u64,
}
