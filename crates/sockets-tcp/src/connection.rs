//! A served connection as its handler sees it.

mod about;
mod reader;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use ports_core::FiveTuple;
use tokio_util::sync::CancellationToken;

use crate::chunk::Chunk;
use crate::failure::Failure;
use crate::handler::HandlerError;
use crate::link::Link;
use crate::server::{BroadcastReport, ClientId, ClientInfo, Coming, ServerHandle, ServerState};

pub use reader::ConnectionReader;
pub use writer::ConnectionWriter;

use about::about;

/// One client's connection, given to the [`Handler`](crate::Handler).
///
/// Dropping it does not end the connection; the end of the handler does. After that the socket is
/// closed, and what still holds a half of it gets errors.
#[derive(Debug)]
pub struct Connection {
    reader: ConnectionReader,
    writer: ConnectionWriter,
}

about!(Connection);

impl Connection {
    pub(crate) fn new(link: Arc<Link>, client: ClientId, clients: Arc<ServerState>) -> Self {
        let shared = Shared { link, client, clients };
        Self {
            reader: ConnectionReader { shared: shared.clone() },
            writer: ConnectionWriter { shared },
        }
    }

    fn shared(&self) -> &Shared {
        &self.reader.shared
    }

    pub(crate) fn writer(&self) -> &ConnectionWriter {
        &self.writer
    }

    pub(crate) fn halves(&mut self) -> (&mut ConnectionReader, &mut ConnectionWriter) {
        (&mut self.reader, &mut self.writer)
    }

    /// The largest message that an outbox of this server can hold, in bytes.
    pub(crate) fn largest_message(&self) -> usize {
        self.writer.shared.link.largest_message()
    }

    /// Until the server has stopped accepting, and called the handler of everybody it accepted.
    pub(crate) async fn arrivals_are_over(&self) {
        self.reader.shared.clients.arrivals().are_over().await;
    }

    /// What its handler has read and not offered for writing yet.
    pub(crate) fn unwritten(&self) -> Unwritten {
        Unwritten { link: Arc::clone(&self.writer.shared.link), bytes: 0 }
    }

    /// From now on, until what this returns is dropped, others wait for what this client still sends:
    /// [`all_are_relayed`](Self::all_are_relayed).
    pub(crate) fn begin_relaying(&self) -> Coming {
        self.reader.shared.clients.relayed().expect()
    }

    /// Until no client of the server is relayed any more.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing changes by it.
    pub(crate) async fn all_are_relayed(&self) {
        self.reader.shared.clients.relayed().are_over().await;
    }

    /// Ends it by a reset, and tells why: what `error` is about is missing from the stream.
    pub(crate) fn break_off(&mut self, error: HandlerError) -> HandlerError {
        let link = &self.writer.shared.link;
        link.observer.failed(Failure::of_handler(&error));
        self.writer.abort();
        error
    }

    /// See [`ConnectionWriter::abort`].
    pub fn abort(&mut self) {
        self.writer.abort();
    }

    /// The two directions apart, to be used at the same time.
    pub fn into_split(self) -> (ConnectionReader, ConnectionWriter) {
        (self.reader, self.writer)
    }

    /// See [`ConnectionReader::read_chunk`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: where the future is dropped, nothing was read.
    pub async fn read_chunk(&mut self) -> io::Result<Chunk> {
        self.reader.shared.link.read_chunk().await
    }

    /// See [`ConnectionReader::read`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: where the future is dropped, nothing was read.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).await
    }

    /// See [`ConnectionWriter::write_all`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Not safe: see [`ConnectionWriter::write_all`].
    pub async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.writer.shared.link.write_all(data).await
    }

    /// See [`ConnectionWriter::send`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: the message is accepted whole or not at all.
    pub async fn send(&mut self, message: Bytes) -> io::Result<()> {
        self.writer.send(message).await
    }

    /// See [`ConnectionWriter::finish`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: the stream ends all the same, only the waiting is given up.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.writer.finish().await
    }

    /// Sends a message to every other client of this server, under its slow policy.
    ///
    /// # Cancel safety
    ///
    /// Each client gets the message whole or not at all; which ones, is not known. For who was waited for
    /// it counts as dropped.
    pub async fn send_to_others(&self, message: Bytes) -> BroadcastReport {
        self.reader.shared.clients.broadcast(&message, Some(self.id())).await
    }
}

/// What a handler has in hand for its client, in bytes of what is to be written. Where the handler ends
/// or is given up before, it counts as dropped.
pub(crate) struct Unwritten {
    link: Arc<Link>,
    pub(crate) bytes: usize,
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.link.gave_up(self.bytes);
    }
}

#[derive(Clone)]
struct Shared {
    link: Arc<Link>,
    client: ClientId,
    clients: Arc<ServerState>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("client", &self.client)
            .field("tuple", &self.link.tuple())
            .finish_non_exhaustive()
    }
}
