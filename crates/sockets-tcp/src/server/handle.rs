//! A server as its handlers and other tasks see it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{BroadcastReport, ClientId, ClientInfo, SendError, ServerState, UnknownClientError};
use crate::close_reason::CloseReason;
use crate::link::Closing;

/// A server for those who do not own it: its handlers
/// ([`Connection::server`](crate::Connection::server)) and other tasks
/// ([`TcpServer::handle`](crate::TcpServer::handle)). Cheap to clone.
///
/// It does not keep the server running. Once that has ended there are no clients.
///
/// Rooms, for which a [`Relay`](crate::Relay) is too much:
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use sockets_tcp::{ClientId, Connection, Lines, TcpClient, TcpServer, handler_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let room: Arc<Mutex<Vec<ClientId>>> = Arc::default();
/// let talk = handler_fn(move |connection: Connection| {
///     let room = Arc::clone(&room);
///     async move {
///         let (server, me) = (connection.server(), connection.id());
///         let mut lines = connection.framed(Lines::new());
///         while let Some(line) = lines.recv_frame().await {
///             let line = line?;
///             if line == "join" {
///                 room.lock().unwrap().push(me);
///                 lines.send_frame("joined").await?;
///             } else {
///                 let members = room.lock().unwrap().clone();
///                 let said = [&line[..], b"\n"].concat();
///                 server.send_to_each(&members, said.into()).await;
///             }
///         }
///         Ok(())
///     }
/// });
/// let server = TcpServer::builder().bind("127.0.0.1:0".parse()?).handler(talk).start().await?;
///
/// let inside = TcpClient::builder(server.local_addr()).connect().await?;
/// inside.send("join\n".into()).await?;
/// assert_eq!(inside.recv().await?.as_deref(), Some(&b"joined\n"[..]));
/// let outside = TcpClient::builder(server.local_addr()).connect().await?;
/// outside.send("tea is ready\n".into()).await?;
/// assert_eq!(inside.recv().await?.as_deref(), Some(&b"tea is ready\n"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServerHandle {
    state: Arc<ServerState>,
}

impl ServerHandle {
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }

    /// See [`TcpServer::clients`](crate::TcpServer::clients).
    pub fn clients(&self) -> Vec<ClientInfo> {
        self.state.infos()
    }

    /// See [`TcpServer::send`](crate::TcpServer::send).
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

    /// See [`TcpServer::send_to_each`](crate::TcpServer::send_to_each).
    ///
    /// # Cancel safety
    ///
    /// Each client gets the message whole or not at all; which ones, is not known. For who was waited for
    /// it counts as dropped.
    pub async fn send_to_each(&self, clients: &[ClientId], message: Bytes) -> BroadcastReport {
        self.state.send_to_each(clients, &message).await
    }

    /// See [`TcpServer::broadcast`](crate::TcpServer::broadcast). To all but oneself:
    /// [`Connection::send_to_others`](crate::Connection::send_to_others).
    ///
    /// # Cancel safety
    ///
    /// Each client gets the message whole or not at all; which ones, is not known. For who was waited for
    /// it counts as dropped.
    pub async fn broadcast(&self, message: Bytes) -> BroadcastReport {
        self.state.broadcast(&message, None).await
    }

    /// See [`TcpServer::disconnect`](crate::TcpServer::disconnect).
    ///
    /// # Errors
    ///
    /// [`UnknownClientError`] where there is no such client (any more).
    pub fn disconnect(&self, client: ClientId) -> Result<(), UnknownClientError> {
        self.state.close(client, Closing::Finish(CloseReason::Local))
    }

    /// Counts a message to all clients but one that is given up before it was sent.
    pub(crate) fn missed_by_all(&self, bytes: usize, except: ClientId) {
        self.state.missed_by_all(bytes, except);
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}
