//! What a TLS session agreed on, and whom it is with.

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{CipherSuite, Connection, ProtocolVersion};

/// What a TLS session agreed on, and whom it is with: for a server that lets in by certificate, or
/// serves several names or protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version of TLS.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The protocol that is spoken inside (ALPN, RFC 7301), where the two ends chose one.
    pub alpn_protocol: Option<Vec<u8>>,
    /// The name that a client asked its server for (SNI, RFC 6066 section 3), at the server's end.
    pub server_name: Option<String>,
    /// The certificates that the peer showed, its own first; they were accepted as the configuration
    /// says. Empty where it showed none, as most clients do.
    pub peer_certificates: Vec<CertificateDer<'static>>,
}

impl TlsInfo {
    /// `None` before the end of the handshake.
    pub(super) fn of(session: &Connection) -> Option<Self> {
        let server_name = match session {
            Connection::Client(_) => None,
            Connection::Server(server) => server.server_name().map(str::to_owned),
        };
        Some(Self {
            version: session.protocol_version()?,
            cipher_suite: session.negotiated_cipher_suite()?.suite(),
            alpn_protocol: session.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
            peer_certificates: session.peer_certificates().unwrap_or_default().to_vec(),
        })
    }
}
