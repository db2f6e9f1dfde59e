//! What frames are read from and sent to: the connections of servers, and clients.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::client::{Arrival, ClientSendError, TcpClient};
use crate::connection::{Connection, ConnectionReader, ConnectionWriter};

/// What frames are read from: [`Connection`], [`ConnectionReader`], [`TcpClient`] and
/// `Arc<TcpClient>`. Nothing else can be.
pub trait FrameSource: sealed::Source {}

/// What frames are sent to: [`Connection`], [`ConnectionWriter`], [`TcpClient`] and
/// `Arc<TcpClient>`. Nothing else can be.
pub trait FrameSink: sealed::Sink {}

/// What came of waiting for more bytes.
#[derive(Debug)]
pub struct Filled {
    /// One stream is over: in order, or with this error.
    pub(super) end: Option<io::Result<()>>,
    /// Nothing comes after this.
    pub(super) last: bool,
}

impl Filled {
    const MORE: Self = Self { end: None, last: false };
}

mod sealed {
    use super::{Bytes, BytesMut, Filled, Future, io};

    pub trait Source {
        /// Appends what comes next. Where the future is dropped, nothing is lost.
        fn fill(&mut self, buffer: &mut BytesMut) -> impl Future<Output = Filled> + Send;
    }

    pub trait Sink {
        /// Accepts the message whole, or not at all.
        fn deliver(&mut self, message: Bytes) -> impl Future<Output = io::Result<()>> + Send;
    }
}
pub(super) use sealed::{Sink, Source};

/// The cause of an I/O error, with what was done to whom.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {peer}")]
struct StreamError {
    operation: &'static str,
    peer: SocketAddr,
    source: io::Error,
}

fn name(operation: &'static str, peer: SocketAddr, source: io::Error) -> io::Error {
    io::Error::new(source.kind(), StreamError { operation, peer, source })
}

impl Source for ConnectionReader {
    async fn fill(&mut self, buffer: &mut BytesMut) -> Filled {
        match self.read_chunk().await {
            Ok(chunk) if chunk.is_empty() => Filled { end: Some(Ok(())), last: true },
            Ok(chunk) => {
                buffer.extend_from_slice(&chunk);
                Filled::MORE
            }
            Err(error) => {
                let error = name("read from", self.peer_addr(), error);
                Filled { end: Some(Err(error)), last: true }
            }
        }
    }
}

impl Sink for ConnectionWriter {
    async fn deliver(&mut self, message: Bytes) -> io::Result<()> {
        let sent = self.send(message).await;
        sent.map_err(|error| name("send to", self.peer_addr(), error))
    }
}

impl Source for Connection {
    async fn fill(&mut self, buffer: &mut BytesMut) -> Filled {
        self.halves().0.fill(buffer).await
    }
}

impl Sink for Connection {
    async fn deliver(&mut self, message: Bytes) -> io::Result<()> {
        self.halves().1.deliver(message).await
    }
}

async fn fill_from(client: &TcpClient, buffer: &mut BytesMut) -> Filled {
    match client.arrival().await {
        Some(Arrival::Bytes(bytes)) => {
            buffer.extend_from_slice(&bytes);
            Filled::MORE
        }
        Some(Arrival::End { peer, result }) => {
            let end = result.map_err(|kind| name("read from", peer, kind.into()));
            Filled { end: Some(end), last: false }
        }
        None => Filled { end: Some(Ok(())), last: true },
    }
}

async fn deliver_to(client: &TcpClient, message: Bytes) -> io::Result<()> {
    client.send(message).await.map_err(|error| {
        let kind = match &error {
            ClientSendError::NotConnected { .. } => io::ErrorKind::NotConnected,
            ClientSendError::Closed { .. } => io::ErrorKind::BrokenPipe,
            ClientSendError::TooLarge { .. } => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, error)
    })
}

impl Source for TcpClient {
    async fn fill(&mut self, buffer: &mut BytesMut) -> Filled {
        fill_from(self, buffer).await
    }
}

impl Sink for TcpClient {
    async fn deliver(&mut self, message: Bytes) -> io::Result<()> {
        deliver_to(self, message).await
    }
}

impl Source for Arc<TcpClient> {
    async fn fill(&mut self, buffer: &mut BytesMut) -> Filled {
        fill_from(self, buffer).await
    }
}

impl Sink for Arc<TcpClient> {
    async fn deliver(&mut self, message: Bytes) -> io::Result<()> {
        deliver_to(self, message).await
    }
}

impl FrameSource for Connection {}
impl FrameSource for ConnectionReader {}
impl FrameSource for TcpClient {}
impl FrameSource for Arc<TcpClient> {}
impl FrameSink for Connection {}
impl FrameSink for ConnectionWriter {}
impl FrameSink for TcpClient {}
impl FrameSink for Arc<TcpClient> {}
