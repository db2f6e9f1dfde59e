//! The receiving direction of a served connection.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ports_core::FiveTuple;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::about::about;
use crate::chunk::Chunk;
use crate::server::{ClientId, ClientInfo, ServerHandle};

/// The receiving direction of a [`Connection`](crate::Connection).
#[derive(Debug)]
pub struct ConnectionReader {
    pub(super) shared: Shared,
}

about!(ConnectionReader);

impl ConnectionReader {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Reads what is there into `buffer`, at least one byte; waits for it. `Ok(0)` is the end: the
    /// client's end of input or, once the server shuts down, the end of what had arrived by then.
    /// Urgent bytes are read like others, each in its place.
    ///
    /// # Errors
    ///
    /// What the kernel says, such as a reset by the client; `ConnectionAborted` once this side
    /// closed the connection before either end. After an error, every read returns it again.
    ///
    /// # Cancel safety
    ///
    /// Safe: where the future is dropped, nothing was read.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| self.shared.link.poll_read(context, buffer)).await
    }

    /// As [`read`](Self::read), into a buffer of this crate's, which is taken when there is
    /// something to read: a client that is idle costs none. At most [`Chunk::SIZE`] bytes; empty at
    /// the end. Drop it before waiting for anything long.
    ///
    /// # Errors
    ///
    /// As `read`.
    ///
    /// # Cancel safety
    ///
    /// Safe: where the future is dropped, nothing was read.
    pub async fn read_chunk(&mut self) -> io::Result<Chunk> {
        self.shared.link.read_chunk().await
    }
}
