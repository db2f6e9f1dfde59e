//! The TCP client: its handle.

mod builder;
mod connect;
mod connect_error;
mod driver;
mod event;
mod queue;
mod race;
mod receiving;
#[cfg(feature = "tls")]
mod secure;
mod sending;
mod shared;
mod target;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ports_core::SocketInfo;
use serde::Serialize;
use stats::SocketStats;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::events::Events;

pub use builder::TcpClientBuilder;
pub use connect_error::ConnectError;
pub use event::ClientEvent;
pub use queue::QueuePolicy;
pub(crate) use receiving::Arrival;
pub use receiving::ClientRecvError;
pub use target::{Target, TargetError};

use receiving::Receiver;
use shared::Ending;
pub(crate) use shared::Shared;

/// How long a connection that is cut off may take to notice.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// A TCP client.
///
/// All methods take `&self`: one task may receive while others send. Dropping it ends the
/// connection at once; [`close`](Self::close) ends it in order.
pub struct TcpClient {
    shared: Arc<Shared>,
    received: Mutex<Receiver>,
    task: TaskTracker,
    close_grace: Duration,
}

impl TcpClient {
    /// A client to be: set it up, then [`connect`](TcpClientBuilder::connect).
    pub fn builder(target: impl Into<Target>) -> TcpClientBuilder {
        TcpClientBuilder::new(target.into())
    }

    /// Sends a message: returns when it is with the kernel or in the outbox, waits for room.
    /// Concurrent calls are served in the order in which they came, but where a connection is lost
    /// between them.
    ///
    /// What was accepted and not sent before the connection was lost is dropped or kept for the
    /// next connection, as [`QueuePolicy`] says. Under [`QueuePolicy::Keep`] a message is accepted
    /// without a connection, too.
    ///
    /// # Errors
    ///
    /// [`ClientSendError`]: not connected now, closed, or too large.
    ///
    /// # Cancel safety
    ///
    /// Safe: the message is accepted whole or not at all.
    pub async fn send(&self, message: Bytes) -> Result<(), ClientSendError> {
        self.shared.send(message).await
    }

    /// The next bytes received, in order, nothing left out; `None` once the server has ended its
    /// stream in order and no other follows (sending may go on). Concurrent calls take turns. Urgent
    /// bytes are among them, each in its place.
    ///
    /// A stream that is cut never looks like one that came to its end, so that this takes a
    /// download only where it is whole:
    ///
    /// ```no_run
    /// # async fn download(client: sockets_tcp::TcpClient) -> Result<Vec<u8>, sockets_tcp::ClientRecvError> {
    /// let mut whole = Vec::new();
    /// while let Some(bytes) = client.recv().await? {
    ///     whole.extend_from_slice(&bytes);
    /// }
    /// # Ok(whole)
    /// # }
    /// ```
    ///
    /// With reconnection, each stream's end is an error too, even a proper one: the next bytes are
    /// those of another connection, and no message reaches over from one into the other. Whoever
    /// goes on after an error that is not [final](ClientRecvError::is_final) gets them.
    ///
    /// # Errors
    ///
    /// [`ClientRecvError`]: the stream ended and another may follow, it broke off, or nothing comes
    /// any more. Each end is told once; after the last, every call returns `None` where that was
    /// the proper one, else [`Closed`](ClientRecvError::Closed).
    ///
    /// # Cancel safety
    ///
    /// Safe: no bytes are lost where the future is dropped.
    pub async fn recv(&self) -> Result<Option<Bytes>, ClientRecvError> {
        match self.arrival().await {
            Arrival::Bytes(bytes) => Ok(Some(bytes)),
            Arrival::End { result: Ok(()), last: true, .. } | Arrival::Over { whole: true } => {
                Ok(None)
            }
            Arrival::End { result: Ok(()), peer, last: false } => {
                Err(ClientRecvError::Ended { peer })
            }
            Arrival::End { result: Err(source), peer, .. } => {
                Err(ClientRecvError::Broken { peer, source })
            }
            Arrival::Over { whole: false } => {
                Err(ClientRecvError::Closed { target: self.target().clone() })
            }
        }
    }

    /// As [`recv`](Self::recv). Cancel safe.
    pub(crate) async fn arrival(&self) -> Arrival {
        let arrival = self.received.lock().await.next().await;
        if let Arrival::Bytes(bytes) = &arrival {
            self.shared.give(bytes.len());
        }
        arrival
    }

    /// Ends the sending direction: what is queued goes out, then the end of the stream (a
    /// half-close). Receiving goes on to the server's end; then the client is closed, and does not
    /// reconnect. Under [`QueuePolicy::Keep`] it waits for a connection first.
    ///
    /// # Errors
    ///
    /// [`ClientSendError`]: not connected now, or the connection was lost before all was out.
    ///
    /// # Cancel safety
    ///
    /// Safe: the stream ends all the same, only the waiting is given up.
    pub async fn finish(&self) -> Result<(), ClientSendError> {
        self.shared.finish().await
    }

    /// What sends, without the client: for futures that outlive a call.
    pub(crate) fn sender(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// The version of TLS that the connection speaks; `None` where it speaks none, or there is no
    /// connection.
    #[cfg(feature = "tls")]
    pub fn tls_version(&self) -> Option<crate::rustls::ProtocolVersion> {
        self.shared.link()?.tls_version()
    }

    /// The TLS session: what the server showed, and what is spoken. `None` where none is, or there is
    /// no connection.
    #[cfg(feature = "tls")]
    pub fn tls_info(&self) -> Option<crate::TlsInfo> {
        self.shared.link()?.tls_info()
    }

    /// Closes the client for good: nothing connects after this. What is queued is flushed, the
    /// stream is ended, the server's end is waited for, and that it has acknowledged all; all within
    /// the grace. Bytes received
    /// before can still be taken; what the server sends after is thrown away.
    ///
    /// # Cancel safety
    ///
    /// Safe: closing goes on, within the same grace; another call waits for it again.
    pub async fn close(&self) -> CloseReport {
        // `None` is beyond what the clock can say.
        let deadline = Instant::now().checked_add(self.close_grace);
        self.shared.end(Ending::Close { deadline });
        if tokio::time::timeout(self.close_grace, self.task.wait()).await.is_err() {
            self.shared.end(Ending::Drop);
            // It ends at once, unless its runtime does not run.
            let _ = tokio::time::timeout(ABORT_WAIT, self.task.wait()).await;
        }
        self.report()
    }

    /// The socket as it is now. While there is no connection its local address is `0.0.0.0:0`.
    pub fn info(&self) -> SocketInfo {
        self.shared.info()
    }

    /// The address of this end of the connection; `None` while there is none.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.shared.link()?.tuple().local)
    }

    /// The address of the server that it is connected to; `None` while it is to none.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        Some(self.shared.link()?.tuple().remote)
    }

    /// What the kernel knows of the connection: round-trip time, retransmissions, what the server
    /// has acknowledged. `None` while there is none.
    #[cfg(target_os = "linux")]
    pub fn tcp_info(&self) -> Option<crate::TcpInfo> {
        self.shared.link()?.tcp_info()
    }

    /// Whom it connects to.
    pub fn target(&self) -> &Target {
        &self.shared.target
    }

    /// Subscribes to what happens. The first subscription begins with what happened since the
    /// start, as far back as the event capacity reaches; what went before is
    /// [`Lagged`](crate::ClientEvent::Lagged). [`ClientEvent::Data`] comes only from its making on.
    pub fn events(&self) -> Events<ClientEvent> {
        self.shared.events.subscribe()
    }

    /// The statistics it records to.
    pub fn stats(&self) -> &SocketStats {
        &self.shared.stats
    }
}

impl TcpClient {
    /// Ends it at once by a reset, so that the server does not take the stream for whole: for a
    /// program that passes on what another source broke off. Nothing connects after this; what is
    /// queued counts as dropped. From here on nothing moves: what is reported is final.
    pub fn abort(&self) -> CloseReport {
        let Some(link) = self.shared.end(Ending::Abort) else { return self.report() };
        let unacknowledged_bytes = link.unacknowledged();
        link.bury();
        link.lose_kept();
        CloseReport { unacknowledged_bytes, ..self.report() }
    }
}

impl TcpClient {
    /// Ends the client at once, for a program that exits next: without waiting, and whether or not
    /// its runtime still runs. A connection whose end is not yet with the kernel behind all that was
    /// accepted ends in a reset when its socket is closed, be it by the exit; what waits counts as
    /// dropped. Else the kernel goes on sending the last bytes.
    pub fn cut_off(&self) -> CloseReport {
        if let Some(link) = self.shared.end(Ending::CutOff) {
            link.lose_kept();
        }
        self.report()
    }

    /// How many bytes were accepted for the server that it has not acknowledged: those that wait
    /// here, and those that the kernel holds, over TLS those of its records. Without the latter
    /// where the system does not tell (elsewhere than on Linux). 0 without a connection.
    pub fn outstanding_bytes(&self) -> usize {
        self.shared.link().map_or(0, |link| link.outstanding())
    }

    fn report(&self) -> CloseReport {
        let unsent = self.shared.unsent();
        let (sent_bytes, unread_bytes) = self.shared.sent_and_unread();
        CloseReport {
            sent_bytes,
            unread_bytes,
            unsent_messages: unsent.messages,
            unsent_bytes: unsent.bytes,
            unacknowledged_bytes: self.shared.unacknowledged_bytes(),
            unacknowledged_before: self.shared.unacknowledged_before(),
        }
    }
}

impl Drop for TcpClient {
    fn drop(&mut self) {
        self.shared.end(Ending::Drop);
    }
}

impl std::fmt::Debug for TcpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpClient").field("info", &self.info()).finish_non_exhaustive()
    }
}

/// What [`TcpClient::close`], [`TcpClient::abort`] or [`TcpClient::cut_off`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct CloseReport {
    /// Bytes sent, as far as the kernel took them, over all connections.
    pub sent_bytes: u64,
    /// Bytes that were received and [`TcpClient::recv`] has not given out; without those that came
    /// when nothing was received any more
    /// ([`discarded`](crate::ClientEvent::Disconnected::discarded)).
    pub unread_bytes: u64,
    /// How many messages the [`unsent_bytes`](Self::unsent_bytes) are of.
    pub unsent_messages: usize,
    /// Bytes accepted for sending that the last connection lost: it was cut off at the end of the
    /// grace, or failed before. Those that waited for a connection count too.
    pub unsent_bytes: usize,
    /// Bytes that the kernel had taken and the server had not acknowledged when the last connection
    /// ended, over TLS those of its records. Where it was reset they are lost; else the kernel goes
    /// on sending them, and nobody learns what becomes of them. 0 where the system does not tell
    /// (elsewhere than on Linux).
    pub unacknowledged_bytes: usize,
    /// The same of the connections before the last one, of each at its end, together. Most were
    /// lost with it: nothing is sent again on the next one that the kernel had taken.
    pub unacknowledged_before: usize,
}

/// Why a message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientSendError {
    /// There is no connection now.
    #[error("not connected to {target}")]
    NotConnected {
        /// Whom the client connects to.
        target: Target,
    },
    /// The client is closed, or its sending direction is finished.
    #[error("the client of {target} is closed")]
    Closed {
        /// Whom it connected to.
        target: Target,
    },
    /// The message can never fit.
    #[error("a message of {len} bytes exceeds the outbox of {limit} bytes")]
    TooLarge {
        /// The message's length in bytes.
        len: usize,
        /// The outbox's bound in bytes.
        limit: usize,
    },
}
