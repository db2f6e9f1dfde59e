//! TLS by rustls, over TCP connections of either role: the handshake, with its limit.

mod alert;
mod date;
mod error;
mod info;
mod session;
mod words;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use crate::stream::Stream;
use crate::tcp::Tcp;

pub use alert::TlsAlert;
pub use error::{TlsError, TlsFault};
pub use info::TlsInfo;
pub(crate) use session::TlsStream;

/// Why a handshake did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// It took too long.
    #[error("the TLS handshake took longer than {limit:?}")]
    TimedOut { limit: Duration },
    /// The peer, its certificate, or the bytes that came; or the connection broke. Where TLS
    /// decided, a [`TlsError`] is inside.
    #[error("the TLS handshake failed")]
    Failed(#[source] io::Error),
}

/// The server's side of a handshake. A peer that fails it is told by an alert. `None`: it was
/// stopped, and its connection reset.
pub(crate) async fn accept(
    tcp: Tcp,
    config: Arc<ServerConfig>,
    limit: Duration,
    stop: &CancellationToken,
) -> Option<Result<Stream, HandshakeError>> {
    let tcp = match tcp.into_tokio() {
        Ok(tcp) => tcp,
        Err(error) => return Some(Err(HandshakeError::Failed(error))),
    };
    let mut handshake = TlsAcceptor::from(config).accept(tcp);
    let done = stop.run_until_cancelled(within(limit, &mut handshake)).await;
    if let (None, Some(tcp)) = (&done, handshake.get_ref()) {
        // It fails only on a socket that is already gone.
        let _ = SockRef::from(tcp).set_linger(Some(Duration::ZERO));
    }
    Some(done?.and_then(|stream| {
        let (tcp, session) = stream.into_inner();
        wrap(tcp, session.into())
    }))
}

/// The client's side of a handshake.
pub(crate) async fn connect(
    tcp: TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    limit: Duration,
) -> Result<Stream, HandshakeError> {
    let handshake = TlsConnector::from(config).connect(name, tcp);
    let stream = within(limit, handshake).await?;
    let (tcp, session) = stream.into_inner();
    wrap(tcp, session.into())
}

async fn within<T>(
    limit: Duration,
    handshake: impl Future<Output = io::Result<T>>,
) -> Result<T, HandshakeError> {
    match tokio::time::timeout(limit, handshake).await {
        Ok(done) => done.map_err(|error| HandshakeError::Failed(in_words(error))),
        Err(_) => Err(HandshakeError::TimedOut { limit }),
    }
}

/// What came of a handshake, as people can read it.
fn in_words(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::new(error.kind(), "the peer closed the connection in the middle of it");
    }
    TlsError::in_io(error)
}

fn wrap(
    tcp: TcpStream,
    session: tokio_rustls::rustls::Connection,
) -> Result<Stream, HandshakeError> {
    let tcp = Tcp::of_tokio(tcp).map_err(HandshakeError::Failed)?;
    Ok(Stream::Tls(Box::new(TlsStream::new(tcp, session))))
}
