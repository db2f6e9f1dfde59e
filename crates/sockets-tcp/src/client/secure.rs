//! TLS for a client: with whom, and what a failed handshake says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::ConnectError;
use crate::stream::Stream;
use crate::tls::{self, HandshakeError, TlsError};

/// What a client needs for its handshakes.
#[derive(Clone, Debug)]
pub(super) struct Secure {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Secure {
    pub(super) async fn handshake(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<Stream, ConnectError> {
        let (config, name) = (Arc::clone(&self.config), self.name.clone());
        tls::connect(tcp, config, name, limit).await.map_err(|error| match error {
            HandshakeError::TimedOut { limit } => {
                ConnectError::HandshakeTimedOut { address, timeout: limit }
            }
            HandshakeError::Failed(source) => self.failed(address, source),
        })
    }

    fn failed(&self, address: SocketAddr, source: io::Error) -> ConnectError {
        match TlsError::of_io(&source) {
            Some(error) if error.fault().is_about_peers_certificate() => {
                let (server_name, source) = (self.name.to_str().into_owned(), error.clone());
                ConnectError::Certificate { address, server_name, source }
            }
            _ => ConnectError::Handshake { address, source },
        }
    }
}
