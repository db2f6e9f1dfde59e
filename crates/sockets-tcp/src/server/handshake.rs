//! The TLS handshake of a server's connections, and how it is set up.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

use super::TcpServerBuilder;
use super::state::ServerState;
use crate::failure::{Failure, Operation};
use crate::handler::Handler;
use crate::stream::Stream;
use crate::tcp::Tcp;
use crate::tls::{self, HandshakeError};

/// How connections are to begin.
#[derive(Clone)]
pub(super) struct Handshake {
    /// `None`: with their data.
    pub(super) config: Option<Arc<ServerConfig>>,
    pub(super) limit: Duration,
}

impl<H: Handler> TcpServerBuilder<H> {
    /// Serves over TLS: connections begin with a handshake, in their own tasks, and become clients
    /// with its end. Which certificates and versions, whether clients need a certificate, says the
    /// configuration; what came of it, and the client's certificate, a handler has from
    /// [`Connection::tls_info`](crate::Connection::tls_info).
    ///
    /// Reads and writes are of the data inside, and so are all counts of bytes. The end of each
    /// direction is that of TLS (`close_notify`); a client that ends without it is taken for cut
    /// short: [`CloseReason::TlsFailed`](crate::CloseReason::TlsFailed).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use sockets_tcp::rustls::ServerConfig;
    /// use sockets_tcp::rustls::pki_types::PrivateKeyDer;
    /// use sockets_tcp::{Echo, TcpServer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A certificate that nobody trusts; a real one comes from files.
    /// let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    /// let config = ServerConfig::builder()
    ///     .with_no_client_auth()
    ///     .with_single_cert(vec![made.cert.der().clone()], key)?;
    ///
    /// let builder = TcpServer::builder().bind("127.0.0.1:0".parse()?).handler(Echo::new());
    /// let server = builder.tls(Arc::new(config)).start().await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tls(mut self, config: impl Into<Arc<ServerConfig>>) -> Self {
        self.settings.handshake.config = Some(config.into());
        self
    }

    /// How long a TLS handshake may take. The connection counts against the most clients meanwhile.
    /// Default: [`DEFAULT_HANDSHAKE_TIMEOUT`](TcpServerBuilder::DEFAULT_HANDSHAKE_TIMEOUT).
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake.limit = timeout;
        self
    }
}

impl Handshake {
    /// The stream inside; `None` where it failed, or the server stopped meanwhile, which is
    /// counted and told.
    pub(super) async fn accept(
        &self,
        tcp: Tcp,
        state: &ServerState,
        peer: SocketAddr,
    ) -> Option<Stream> {
        let config = self.config.clone()?;
        let failure = match tls::accept(tcp, config, self.limit, state.stopping()).await {
            Some(Ok(stream)) => return Some(stream),
            Some(Err(error)) => failure(&error),
            None => {
                state.cut_before_served();
                Failure::new(Operation::Handshake, "the server stopped")
            }
        };
        tracing::debug!(%peer, %failure, "no TLS session");
        state.handshake_failed(peer, failure);
        None
    }
}

fn failure(error: &HandshakeError) -> Failure {
    match error {
        HandshakeError::Failed(source) => Failure::of_io(Operation::Handshake, source),
        HandshakeError::TimedOut { .. } => Failure::new(Operation::Handshake, error.to_string()),
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("limit", &self.limit).finish_non_exhaustive()
    }
}
