//! The TCP server: its handle.

mod accept;
mod admission;
mod backlog;
mod bind;
mod bind_error;
mod builder;
mod coming;
mod event;
mod handle;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(target_os = "linux")]
mod inherited;
mod listening;
mod report;
mod send;
mod serve;
mod shortage;
mod start;
mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ports_core::{SocketInfo, SocketState, Transport};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::close_reason::CloseReason;
use crate::events::Events;
use crate::handler::Discard;
use crate::link::Closing;

pub use bind_error::BindError;
pub use builder::TcpServerBuilder;
pub(crate) use coming::Coming;
pub use event::{ClientId, ClientNumbers, Refusal, ServerEvent};
pub use handle::ServerHandle;
#[cfg(target_os = "linux")]
pub use inherited::{InheritError, InheritedListener, inherited_listeners};
pub use report::{BroadcastReport, ClientInfo, CutOff, ServerInfo, ShutdownReport, Unread};
pub use send::{SendError, SlowPolicy, UnknownClientError};
pub(crate) use state::ServerState;

/// How long a connection that is cut off may take to notice.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// A running TCP server.
///
/// Dropping it ends everything at once: its listeners, then its connections, as soon as the
/// runtime comes to it. [`shutdown`](Self::shutdown) ends it in order.
pub struct TcpServer {
    state: Arc<ServerState>,
    local: Vec<SocketAddr>,
    /// The accepting tasks.
    acceptor: TaskTracker,
    connections: TaskTracker,
    /// Cancelled once the listeners are closed and their claims released.
    released: CancellationToken,
}

impl TcpServer {
    /// A server to be: set it up, then [`start`](TcpServerBuilder::start) it.
    pub fn builder() -> TcpServerBuilder<Discard> {
        TcpServerBuilder::new()
    }

    /// The address it listens on, the first one where there are several; with the port that the
    /// kernel chose where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local[0]
    }

    /// All addresses it listens on, in the order in which they were given.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local
    }

    /// Subscribes to what happens. The first subscription begins with what happened since the
    /// start, as far back as the event capacity reaches; what went before is
    /// [`Lagged`](crate::ServerEvent::Lagged). [`ServerEvent::Data`] comes only from its making on.
    pub fn events(&self) -> Events<ServerEvent> {
        self.state.subscribe()
    }

    /// As [`events`](Self::events), for who has no use for [`ServerEvent::Data`]: for this subscription
    /// none is made, so that reading costs no more than without one. Where another one has them made, it
    /// sees them, too.
    pub fn events_without_data(&self) -> Events<ServerEvent> {
        self.state.publisher().subscribe_without_data()
    }

    /// The clients that are connected now, oldest first. The kernel is asked of each one.
    pub fn clients(&self) -> Vec<ClientInfo> {
        self.state.infos()
    }

    /// The server's socket and its counts.
    pub fn info(&self) -> ServerInfo {
        let steps: &[SocketState] = match (self.released.is_cancelled(), self.state.is_empty()) {
            (false, _) => &[SocketState::Listening],
            (true, false) => &[SocketState::Listening, SocketState::Closing],
            (true, true) => &[],
        };
        let mut socket = SocketInfo::new(Transport::Tcp, self.local_addr());
        for step in steps {
            // Every step of a server's life is legal.
            let _ = socket.become_state(*step);
        }
        self.state.server_info(socket)
    }

    /// The statistics it records to.
    pub fn stats(&self) -> &stats::SocketStats {
        self.state.stats()
    }

    /// Sends a message to one client, under the slow policy. Accepted means: with the kernel, or
    /// in the client's outbox.
    ///
    /// # Errors
    ///
    /// [`SendError`]: the client is gone, or did not take it.
    ///
    /// # Cancel safety
    ///
    /// Safe: the message is accepted whole or not at all.
    pub async fn send(&self, client: ClientId, message: Bytes) -> Result<(), SendError> {
        self.state.send(client, &message).await
    }

    /// Sends a message to every client, under the slow policy. All share the one buffer, and no
    /// client waits for another to get this message: it goes to all who have room first. Under
    /// [`SlowPolicy::Block`] the caller then waits for the others, for all at the same time and no
    /// longer than the policy's time in all; for so long whatever it sends next has to wait.
    ///
    /// # Cancel safety
    ///
    /// Each client gets the message whole or not at all; which ones, is not known. For who was waited for
    /// it counts as dropped.
    pub async fn broadcast(&self, message: Bytes) -> BroadcastReport {
        self.state.broadcast(&message, None).await
    }

    /// Sends a message to these clients, as [`broadcast`](Self::broadcast) does to all. Those that
    /// are gone count as [`closed`](BroadcastReport::closed); one that is named twice gets it twice.
    ///
    /// # Cancel safety
    ///
    /// Each client gets the message whole or not at all; which ones, is not known. For who was waited for
    /// it counts as dropped.
    pub async fn send_to_each(&self, clients: &[ClientId], message: Bytes) -> BroadcastReport {
        self.state.send_to_each(clients, &message).await
    }

    /// The server for other tasks, which send to its clients while this value waits for its end.
    /// Handlers have it from [`Connection::server`](crate::Connection::server).
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(Arc::clone(&self.state))
    }

    /// Disconnects one client: its handler is dropped, what is queued is flushed, the stream is
    /// ended. Returns at once; [`ServerEvent::Disconnected`] tells when it is done.
    ///
    /// # Errors
    ///
    /// [`UnknownClientError`] where there is no such client (any more).
    pub fn disconnect(&self, client: ClientId) -> Result<(), UnknownClientError> {
        self.state.close(client, Closing::Finish(CloseReason::Local))
    }

    /// Ends the server in order: takes in who still waits in the backlog, stops accepting and
    /// releases the ports, lets the handlers read what has already arrived, flushes every outbox,
    /// ends every stream, and waits until its client has acknowledged all of it. A client that goes on
    /// sending is reset then (on Linux), as nobody handles what it sends, and is in the report apart. What is
    /// not done after `grace` is no longer read, then cut off, and reported. Only the grace bounds how long a
    /// client may stand still. Connections in the backlog for which there is no place, and those without a TLS
    /// session where there is to be one, are reset, and counted in the report. The backlog of a
    /// [`listener`](TcpServerBuilder::listener) that was given is not touched: it is for who holds
    /// that socket then.
    ///
    /// A handler that blocks its thread, or whose runtime does not run, cannot be cut off: this
    /// waits for it one second more, reports it as cut off, and leaves it behind.
    ///
    /// # Cancel safety
    ///
    /// Safe: where the future is dropped, the server keeps draining; another call waits for it
    /// again, with its own grace.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.state.drain();
        let mut ended = std::pin::pin!(async {
            self.released.cancelled().await;
            self.acceptor.close();
            self.acceptor.wait().await;
            self.connections.wait().await;
        });
        if tokio::time::timeout(grace, ended.as_mut()).await.is_err() {
            self.state.abort();
            // Whoever does not end now is in the report all the same.
            let _ = tokio::time::timeout(ABORT_WAIT, ended).await;
        }
        self.state.shutdown_report()
    }
}

impl TcpServer {
    /// Ends the server at once, for a program that exits next: without waiting, and whether or not
    /// its runtime still runs. Every connection that a handler still serves, or whose stream's end
    /// is not yet with the kernel behind all that was accepted for it, ends in a reset when its
    /// socket is closed, be it by the exit; what waits for it counts as dropped. Of the others
    /// the kernel goes on sending the last bytes. Reports all connections that are not over.
    pub fn cut_off(&self) -> ShutdownReport {
        self.state.stopping().cancel();
        self.state.cut_off();
        self.state.shutdown_report()
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.state.stopping().cancel();
        self.state.abort();
        self.acceptor.close();
    }
}

impl std::fmt::Debug for TcpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpServer").field("local", &self.local).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
