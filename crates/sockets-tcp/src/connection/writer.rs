//! The sending direction of a served connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use ports_core::FiveTuple;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::about::about;
use crate::close_reason::CloseReason;
use crate::server::{ClientId, ClientInfo, ServerHandle};

/// The sending direction of a [`Connection`](crate::Connection).
#[derive(Debug)]
pub struct ConnectionWriter {
    pub(super) shared: Shared,
}

about!(ConnectionWriter);

impl ConnectionWriter {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The same direction once more, for a future that outlives a call.
    pub(crate) fn another(&self) -> Self {
        Self { shared: self.shared.clone() }
    }

    /// Writes all of `data` to the socket, without a copy, after what was queued before. Waits as
    /// long as the client does not read: this is the back-pressure; the server's slow policy is
    /// for what others send to this client.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` after [`finish`](Self::finish) or once the connection is closed; else what
    /// the kernel says. What a connection that fails or is closed does not take of `data` counts as
    /// dropped.
    ///
    /// # Cancel safety
    ///
    /// Not safe: a part may be written. The rest then counts as dropped, nothing more is sent, and
    /// the connection ends in a reset, so that the client does not take the stream for whole. Where
    /// no part was written yet, only the message is dropped.
    pub async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.shared.link.write_all(data).await
    }

    /// Sends a message by the outbox: returns when it is accepted, waits only for room.
    ///
    /// # Errors
    ///
    /// `InvalidInput` where the message is larger than the whole outbox; `BrokenPipe` where the
    /// sending direction has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: the message is accepted whole or not at all.
    pub async fn send(&mut self, message: Bytes) -> io::Result<()> {
        if message.len() > self.shared.link.largest_message() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if self.shared.link.send(&message).await {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    /// Puts the idle timeout off, as a byte that moves does: for a handler that works for its client
    /// elsewhere.
    pub fn stir(&self) {
        self.shared.link.note_activity();
    }

    /// Ends the connection at once by a reset: the peer learns that its stream is not whole. For a
    /// handler that passes on what another source broke off. What is queued counts as dropped.
    ///
    /// The close reason is what had failed on the connection itself, such as a reset by the client,
    /// if anything had; [`CloseReason::Shutdown`](crate::CloseReason::Shutdown) where the handler
    /// returns `Ok` after the server began to shut down; else
    /// [`CloseReason::HandlerFailed`](crate::CloseReason::HandlerFailed).
    pub fn abort(&mut self) {
        self.shared.link.abort(CloseReason::HandlerFailed);
    }

    /// Ends this direction: what is queued goes out, then the end of the stream (a half-close).
    /// Reading goes on.
    ///
    /// # Errors
    ///
    /// What the kernel said where the stream could not be ended in order.
    ///
    /// # Cancel safety
    ///
    /// Safe: the stream ends all the same, only the waiting is given up.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.shared.link.begin_finish();
        self.shared.link.finished().await
    }
}
