//! The stream of a pipe: TCP, or TLS over it.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use sockets_tcp::rustls::ServerConfig;
use sockets_tcp::{Keepalive, TcpServerBuilder, TlsError};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long the peer's end is waited for after a signal: closing with input unread would reset the
/// connection (RFC 9293 section 3.6.1), and a reset may overtake what was sent.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// See the module's first line.
pub(super) enum Wire {
    Plain(Tcp),
    Tls(Box<TlsStream<Tcp>>),
}

/// TCP, read to where it has no more. A read ends before a byte that the peer marked as urgent, which
/// tokio's own reads take for the end of what there is: what is behind the mark they leave lying until
/// more comes.
pub(super) struct Tcp(TcpStream);

/// Has urgent bytes stay in their places in the stream (RFC 6093 section 4), as servers do it. It fails
/// only on what is no socket.
pub(super) fn keep_urgent_in_line(socket: &impl AsFd) {
    let _ = SockRef::from(socket).set_out_of_band_inline(true);
}

/// Waits for the peer's end, within [`LINGER`]. What comes instead of it is not accepted: how much was
/// read of it. A reset is to tell the peer, who has acknowledged all.
pub(super) async fn late_input(stream: &mut (impl AsyncRead + Unpin)) -> usize {
    let read = tokio::time::timeout(LINGER, stream.read(&mut [0])).await;
    read.map_or(0, |read| read.unwrap_or(0))
}

/// The server's side of a handshake, within the server's limit.
pub(super) async fn handshake(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<Wire> {
    let limit = TcpServerBuilder::DEFAULT_HANDSHAKE_TIMEOUT;
    let handshake = TlsAcceptor::from(config).accept(Tcp(tcp));
    let done = tokio::time::timeout(limit, handshake).await.map_err(|_| {
        let seconds = limit.as_secs();
        io::Error::new(io::ErrorKind::TimedOut, format!("no handshake within {seconds} s"))
    })?;
    Ok(Wire::Tls(Box::new(done.map_err(|error| in_words(error, "in the middle of it"))?)))
}

/// An error of TLS as people can read it; where the connection just ended, `when` it did.
fn in_words(error: io::Error, when: &str) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::new(error.kind(), format!("the peer closed the connection {when}"));
    }
    TlsError::in_io(error)
}

/// As a server with this setting does it. Refused only on a connection that is gone, which reading
/// tells.
pub(super) fn keep_alive(tcp: &TcpStream, idle: Duration) {
    let keepalive = TcpKeepalive::new()
        .with_time(idle)
        .with_interval(Keepalive::DEFAULT_INTERVAL)
        .with_retries(Keepalive::DEFAULT_COUNT);
    let _ = SockRef::from(tcp).set_tcp_keepalive(&keepalive);
}

impl From<TcpStream> for Wire {
    fn from(tcp: TcpStream) -> Self {
        Self::Plain(Tcp(tcp))
    }
}

impl Wire {
    /// The connection below.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => &tcp.0,
            Self::Tls(tls) => &tls.get_ref().0.0,
        }
    }

    /// Whether the end of the stream is proven by TLS, and anything else is an error.
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.map(|read| buffer.advance(read))),
            }
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer).map_err(|error| {
                in_words(error, "without the end that TLS has: its stream may be cut short")
            }),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, data),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

/// What is there; `None` where nothing is. Not bounded by the task's share of time, whose end would
/// look like nothing.
pub(super) async fn read_now(
    reader: &mut ReadHalf<&mut Wire>,
    buffer: &mut [u8],
) -> Option<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    let once = poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *reader).poll_read(context, &mut buffer) {
            Poll::Pending => None,
            Poll::Ready(result) => Some(result),
        })
    });
    let result = tokio::task::unconstrained(once).await?;
    Some(result.map(|()| buffer.filled().len()))
}

/// As far as the kernel takes it, also over TLS.
pub(super) async fn write(writer: &mut WriteHalf<&mut Wire>, data: &[u8]) -> io::Result<usize> {
    let written = writer.write(data).await?;
    writer.flush().await?;
    Ok(written)
}
