//! The TLS handshake of a server's connections.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;

use super::state::ServerState;
use crate::failure::{Failure, Operation};
use crate::stream::Stream;
use crate::tls::{self, HandshakeError};

/// How connections are to begin.
#[derive(Clone)]
pub(super) struct Handshake {
    /// `None`: with their data.
    pub(super) config: Option<Arc<ServerConfig>>,
    pub(super) limit: Duration,
}

impl Handshake {
    /// The stream inside; `None` where it failed, or the server stopped meanwhile, which is
    /// counted and told.
    pub(super) async fn accept(
        &self,
        tcp: TcpStream,
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
