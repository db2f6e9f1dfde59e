//! A served connection as its handler sees it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use ports_core::FiveTuple;
use tokio_util::sync::CancellationToken;

use crate::chunk::Chunk;
use crate::close_reason::CloseReason;
use crate::failure::{Failure, Operation};
use crate::handler::HandlerError;
use crate::link::Link;
use crate::server::{BroadcastReport, ClientId, ClientInfo, ServerState};

/// One client's connection, given to the [`Handler`](crate::Handler).
///
/// Dropping it does not end the connection; the end of the handler does. After that the socket is
/// closed, and what still holds a half of it gets errors.
#[derive(Debug)]
pub struct Connection {
    reader: ConnectionReader,
    writer: ConnectionWriter,
}

impl Connection {
    pub(crate) fn new(link: Arc<Link>, client: ClientId, clients: Arc<ServerState>) -> Self {
        let shared = Shared { link, client, clients };
        Self {
            reader: ConnectionReader { shared: shared.clone() },
            writer: ConnectionWriter { shared },
        }
    }

    /// The client's number, unique over the life of the server.
    pub fn id(&self) -> ClientId {
        self.reader.shared.client
    }

    /// The client's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.five_tuple().remote
    }

    /// The address the client connected to.
    pub fn local_addr(&self) -> SocketAddr {
        self.five_tuple().local
    }

    /// Both addresses.
    pub fn five_tuple(&self) -> FiveTuple {
        self.reader.shared.link.tuple()
    }

    /// The connection as it is now, with its counts and the kernel's.
    pub fn info(&self) -> ClientInfo {
        ClientInfo::new(self.id(), &self.reader.shared.link)
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

    /// Ends it by a reset, and tells why: what `error` is about is missing from the stream.
    pub(crate) fn break_off(&mut self, error: HandlerError) -> HandlerError {
        let link = &self.writer.shared.link;
        link.observer.failed(Failure::new(Operation::Handler, error.to_string()));
        self.writer.abort();
        error
    }

    /// Whether the server is shutting down: [`read`](Self::read) gives what is there, then 0.
    pub fn shutdown_requested(&self) -> bool {
        self.reader.shared.clients.stopping().is_cancelled()
    }

    /// A token that is cancelled when the server begins to shut down, for handlers that wait for
    /// something other than their client.
    pub fn shutdown_token(&self) -> &CancellationToken {
        self.reader.shared.clients.stopping()
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
    /// Each client gets the message whole or not at all; which ones, is not known.
    pub async fn send_to_others(&self, message: Bytes) -> BroadcastReport {
        self.reader.shared.clients.broadcast(&message, Some(self.id())).await
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

/// The receiving direction of a [`Connection`].
#[derive(Debug)]
pub struct ConnectionReader {
    shared: Shared,
}

impl ConnectionReader {
    /// Whether the client ended its stream, once reading has come to an end: not so where it ended
    /// because the server shuts down.
    pub fn peer_ended(&self) -> bool {
        self.shared.link.peer_ended()
    }

    /// Reads what is there into `buffer`, at least one byte; waits for it. `Ok(0)` is the end: the
    /// client's end of input or, once the server shuts down, the end of what had arrived by then.
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

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.shared.link.tuple().remote
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

/// The sending direction of a [`Connection`].
#[derive(Debug)]
pub struct ConnectionWriter {
    shared: Shared,
}

impl ConnectionWriter {
    /// The same direction once more, for a future that outlives a call.
    pub(crate) fn another(&self) -> Self {
        Self { shared: self.shared.clone() }
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.shared.link.tuple().remote
    }

    /// Writes all of `data` to the socket, without a copy, after what was queued before. Waits as
    /// long as the client does not read: this is the back-pressure; the server's slow policy is
    /// for what others send to this client.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` after [`finish`](Self::finish) or once the connection is closed; else what
    /// the kernel says.
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

    /// The connection as it is now, with its counts and the kernel's.
    pub fn info(&self) -> ClientInfo {
        ClientInfo::new(self.shared.client, &self.shared.link)
    }

    /// How many bytes were accepted for the client that it has not acknowledged: those that wait
    /// here, and those that the kernel holds, over TLS those of its records. Without the latter
    /// where the system does not tell (elsewhere than on Linux).
    pub fn outstanding_bytes(&self) -> usize {
        self.shared.link.outstanding()
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
