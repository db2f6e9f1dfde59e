//! What frames are read from and sent to: the connections of servers, and clients.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};

use super::waiting::{BoxFuture, Waiting};
use crate::client::{Arrival, ClientRecvError, Shared, TcpClient};
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
    use std::pin::pin;
    use std::task::{Context, Poll};

    use super::{Arrival, BoxFuture, Bytes, BytesMut, Filled, Future, Waiting, io};

    pub trait Source {
        /// Appends what comes next. Where the future is dropped, nothing is lost.
        fn fill(&mut self, buffer: &mut BytesMut) -> impl Future<Output = Filled> + Send;

        /// As `fill`, polled: with a new future each time, which leaves its waker where the bytes
        /// come in. Where it does not, the future goes to `arriving`.
        fn poll_fill(
            &mut self,
            _arriving: &mut Waiting<Arrival>,
            context: &mut Context<'_>,
            buffer: &mut BytesMut,
        ) -> Poll<Filled> {
            pin!(self.fill(buffer)).poll(context)
        }
    }

    pub trait Sink {
        /// Accepts the message whole, or not at all.
        fn deliver(&mut self, message: Bytes) -> impl Future<Output = io::Result<()>> + Send;

        /// As `deliver`, in a future that outlives the call.
        fn delivering(&self, message: Bytes) -> BoxFuture<io::Result<()>>;

        /// Ends the sending direction behind all that was accepted.
        fn finishing(&self) -> BoxFuture<io::Result<()>>;
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

    fn delivering(&self, message: Bytes) -> BoxFuture<io::Result<()>> {
        let mut writer = self.another();
        Box::pin(async move { writer.deliver(message).await })
    }

    fn finishing(&self) -> BoxFuture<io::Result<()>> {
        let mut writer = self.another();
        Box::pin(async move {
            let finished = writer.finish().await;
            finished.map_err(|error| name("end the stream to", writer.peer_addr(), error))
        })
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

    fn delivering(&self, message: Bytes) -> BoxFuture<io::Result<()>> {
        self.writer().delivering(message)
    }

    fn finishing(&self) -> BoxFuture<io::Result<()>> {
        self.writer().finishing()
    }
}

async fn fill_from(client: &TcpClient, buffer: &mut BytesMut) -> Filled {
    take_in(client, client.arrival().await, buffer)
}

fn take_in(client: &TcpClient, arrival: Arrival, buffer: &mut BytesMut) -> Filled {
    match arrival {
        Arrival::Bytes(bytes) => {
            buffer.extend_from_slice(&bytes);
            Filled::MORE
        }
        Arrival::End { peer, result, last } => {
            let end = result.map_err(|error| name("read from", peer, error));
            Filled { end: Some(end), last }
        }
        Arrival::Over { whole: true } => Filled { end: Some(Ok(())), last: true },
        // What it was cut from shall not look whole.
        Arrival::Over { whole: false } => {
            let closed = ClientRecvError::Closed { target: client.target().clone() };
            Filled { end: Some(Err(closed.into())), last: true }
        }
    }
}

async fn deliver_to(client: &Shared, message: Bytes) -> io::Result<()> {
    client.send(message).await.map_err(io::Error::from)
}

fn delivering_to(client: Arc<Shared>, message: Bytes) -> BoxFuture<io::Result<()>> {
    Box::pin(async move { deliver_to(&client, message).await })
}

fn finishing(client: Arc<Shared>) -> BoxFuture<io::Result<()>> {
    Box::pin(async move { client.finish().await.map_err(io::Error::from) })
}

impl Source for TcpClient {
    async fn fill(&mut self, buffer: &mut BytesMut) -> Filled {
        fill_from(self, buffer).await
    }
}

impl Sink for TcpClient {
    async fn deliver(&mut self, message: Bytes) -> io::Result<()> {
        deliver_to(&self.sender(), message).await
    }

    fn delivering(&self, message: Bytes) -> BoxFuture<io::Result<()>> {
        delivering_to(self.sender(), message)
    }

    fn finishing(&self) -> BoxFuture<io::Result<()>> {
        finishing(self.sender())
    }
}

impl Source for Arc<TcpClient> {
    async fn fill(&mut self, buffer: &mut BytesMut) -> Filled {
        fill_from(self, buffer).await
    }

    /// Others may be receiving: whoever waits for his turn has to keep his place.
    fn poll_fill(
        &mut self,
        arriving: &mut Waiting<Arrival>,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<Filled> {
        let client = &*self;
        let arrival = ready!(arriving.poll_or_begin(context, || {
            let client = Arc::clone(client);
            Box::pin(async move { client.arrival().await })
        }));
        Poll::Ready(take_in(self, arrival, buffer))
    }
}

impl Sink for Arc<TcpClient> {
    async fn deliver(&mut self, message: Bytes) -> io::Result<()> {
        deliver_to(&self.sender(), message).await
    }

    fn delivering(&self, message: Bytes) -> BoxFuture<io::Result<()>> {
        delivering_to(self.sender(), message)
    }

    fn finishing(&self) -> BoxFuture<io::Result<()>> {
        finishing(self.sender())
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
