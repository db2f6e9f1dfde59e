//! TLS for a client: with whom, and what a failed handshake says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use super::ConnectError;
use crate::stream::Stream;
use crate::tls::{self, HandshakeError};

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
        match decision(&source) {
            Some(
                error @ (Error::InvalidCertificate(_)
                | Error::NoCertificatesPresented
                | Error::InvalidCertRevocationList(_)
                | Error::UnsupportedNameType),
            ) => {
                let (server_name, source) = (self.name.to_str().into_owned(), error.clone());
                ConnectError::Certificate { address, server_name, source }
            }
            _ => ConnectError::Handshake { address, source },
        }
    }
}

/// What rustls decided, where it was it that ended the handshake.
fn decision(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether a handshake that failed in this way fails again: the two ends do not agree, or the
/// server does not accept this end's certificate.
pub(super) fn is_permanent(error: &io::Error) -> bool {
    use tokio_rustls::rustls::AlertDescription as Alert;
    match decision(error) {
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => true,
        Some(Error::AlertReceived(alert)) => matches!(
            alert,
            Alert::AccessDenied
                | Alert::BadCertificate
                | Alert::CertificateExpired
                | Alert::CertificateRequired
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::HandshakeFailure
                | Alert::NoApplicationProtocol
                | Alert::ProtocolVersion
                | Alert::UnknownCA
                | Alert::UnrecognisedName
                | Alert::UnsupportedCertificate
        ),
        _ => false,
    }
}
