//! Frames over connections: the adapter, for any codec of `tokio-util`.

mod assembler;
mod error;
mod futures;
mod length_prefixed;
mod lines;
mod stream;
mod waiting;

use std::future::poll_fn;
use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::client::{Arrival, TcpClient};
use crate::connection::Connection;

pub use error::FrameError;
pub use length_prefixed::{LengthPrefixed, Prefix};
pub use lines::{LineEnding, Lines};
pub use stream::{FrameSink, FrameSource};

use assembler::Assembler;
use stream::Filled;
use waiting::Waiting;

/// Reads and sends frames instead of bytes.
///
/// Made by [`Connection::framed`](crate::Connection::framed) and
/// [`TcpClient::framed`](crate::TcpClient::framed), or with [`Framed::new`] of a half of a
/// connection, or of an `Arc<TcpClient>` where one task receives and others send.
///
/// The codec is [`Lines`], [`LengthPrefixed`], or any that implements [`Decoder`] and
/// [`Encoder`]. Memory is bounded by the codec's limit and one read; that of a codec without a
/// limit is not.
///
/// It is a [`Stream`](futures_core::Stream) and a [`Sink`](futures_sink::Sink), too, for the
/// combinators of `futures-util`, `tokio-stream` and others. These two ways mix with the methods.
///
/// ```
/// use bytes::Bytes;
/// use sockets_tcp::{Connection, FrameError, Lines, TcpClient, TcpServer, handler_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shout = handler_fn(|connection: Connection| async move {
///     let mut lines = connection.framed(Lines::new().max_length(80));
///     while let Some(line) = lines.recv_frame().await {
///         lines.send_frame(line?.to_ascii_uppercase()).await?;
///     }
///     Ok(())
/// });
/// let server = TcpServer::builder().bind("127.0.0.1:0".parse()?).handler(shout).start().await?;
///
/// let client = TcpClient::builder(server.local_addr()).connect().await?;
/// let mut lines = client.framed(Lines::new());
/// lines.send_frame("hello").await?;
/// lines.send_frame("world").await?;
/// lines.inner().finish().await?;
/// assert_eq!(lines.recv_frame().await.transpose()?, Some(Bytes::from_static(b"HELLO")));
/// assert_eq!(lines.recv_frame().await.transpose()?, Some(Bytes::from_static(b"WORLD")));
/// assert!(lines.recv_frame().await.is_none());
///
/// assert!(matches!(lines.send_frame("two\nlines").await, Err(FrameError::LineBreak { at: 3 })));
/// # Ok(())
/// # }
/// ```
///
/// The same service, and its client, by combinators:
///
/// ```
/// use bytes::Bytes;
/// use futures_util::{SinkExt, StreamExt, TryStreamExt};
/// use sockets_tcp::{Connection, Lines, TcpClient, TcpServer, handler_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shout = handler_fn(|connection: Connection| async move {
///     let (answers, lines) = connection.framed(Lines::new().max_length(80)).split();
///     lines.map_ok(|line| line.to_ascii_uppercase()).forward(answers).await?;
///     Ok(())
/// });
/// let server = TcpServer::builder().bind("127.0.0.1:0".parse()?).handler(shout).start().await?;
///
/// let client = TcpClient::builder(server.local_addr()).connect().await?;
/// let (mut questions, answers) = client.framed(Lines::new()).split();
/// questions.send("hello").await?;
/// questions.send("world").await?;
/// SinkExt::<&str>::close(&mut questions).await?;
/// let answers: Vec<Bytes> = answers.try_collect().await?;
/// assert_eq!(answers, ["HELLO", "WORLD"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Framed<T, C> {
    inner: T,
    assembler: Assembler<C>,
    encoder: C,
    /// Encoded, and not yet sent.
    encoded: BytesMut,
    /// Nothing more comes in.
    over: bool,
    /// By `Stream`: what is waited for, where that takes a future of its own.
    arriving: Waiting<Arrival>,
    /// By `Sink`: the frame that is on its way into the outbox.
    delivering: Waiting<io::Result<()>>,
    /// By `Sink`: the end of the sending direction.
    finishing: Waiting<io::Result<()>>,
}

impl<T, C: Decoder + Clone> Framed<T, C> {
    /// Frames of this codec over `inner`. What was read from `inner` before is not seen.
    pub fn new(inner: T, codec: C) -> Self {
        let (encoder, assembler) = (codec.clone(), Assembler::new(codec));
        Self {
            inner,
            assembler,
            encoder,
            encoded: BytesMut::new(),
            over: false,
            arriving: Waiting::new(),
            delivering: Waiting::new(),
            finishing: Waiting::new(),
        }
    }
}

impl<T, C> Framed<T, C> {
    /// What the frames go over. Bytes read from it are missing in the frames.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// As [`inner`](Self::inner), for what needs it mutable, such as a connection's `finish`.
    pub fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Gives back what the frames went over. Bytes that came, and were not received as frames, are
    /// thrown away.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: FrameSource, C: Decoder + Clone> Framed<T, C> {
    /// The next frame; `None` at the end of the last stream.
    ///
    /// A client that reconnects goes from one stream to the next. No frame reaches over from one
    /// into the other.
    ///
    /// # Errors
    ///
    /// What the codec says, [`FrameError`] for those of this crate: a frame over the limit; a
    /// stream that ends within a frame; an I/O error where the stream ended in one, also between
    /// two frames. After an error the rest of its stream is thrown away, as nobody knows where
    /// the next frame begins.
    ///
    /// # Cancel safety
    ///
    /// Safe: no bytes are lost where the future is dropped.
    pub async fn recv_frame(&mut self) -> Option<Result<C::Item, C::Error>> {
        // Nothing is lost with it, and it may hold what `fill` is to wait for.
        drop(self.arriving.take());
        loop {
            if let Some(frame) = self.assembler.next() {
                return Some(frame);
            }
            if self.over {
                return None;
            }
            let filled = self.inner.fill(self.assembler.buffer()).await;
            if let Some(error) = self.note_end(filled) {
                return Some(Err(error));
            }
        }
    }
}

impl<T, C: Decoder + Clone> Framed<T, C> {
    /// Notes how a stream ended, if it did; the error, if there is one.
    fn note_end(&mut self, filled: Filled) -> Option<C::Error> {
        self.over = filled.last;
        match filled.end {
            None => {}
            Some(Ok(())) => self.assembler.end(),
            Some(Err(error)) => {
                self.assembler.restart();
                return Some(error.into());
            }
        }
        None
    }
}

impl<T: FrameSink, C> Framed<T, C> {
    /// Sends a frame: returns when it is with the kernel or in the outbox, waits for room.
    ///
    /// # Errors
    ///
    /// What the codec says, [`FrameError`] for those of this crate: a frame that is too long, or
    /// not to be written with this codec; an I/O error where the outbox does not take it:
    /// `NotConnected`, `BrokenPipe` after the end, `InvalidInput` where it is larger than the
    /// outbox. A frame that is refused leaves no byte on the way.
    ///
    /// # Cancel safety
    ///
    /// Safe: the frame is accepted whole or not at all.
    pub async fn send_frame<I>(&mut self, frame: I) -> Result<(), <C as Encoder<I>>::Error>
    where
        C: Encoder<I>,
    {
        poll_fn(|context| self.poll_delivered(context)).await?;
        self.encoded.clear();
        self.encoder.encode(frame, &mut self.encoded)?;
        Ok(self.inner.deliver(self.encoded.split().freeze()).await?)
    }
}

impl Connection {
    /// Reads and sends frames of this codec from here on.
    pub fn framed<C: Decoder + Clone>(self, codec: C) -> Framed<Self, C> {
        Framed::new(self, codec)
    }
}

impl TcpClient {
    /// Receives and sends frames of this codec from here on.
    pub fn framed<C: Decoder + Clone>(self, codec: C) -> Framed<Self, C> {
        Framed::new(self, codec)
    }
}

#[cfg(test)]
mod tests;
