//! Which clients a listener with `--ca` lets in.

use std::sync::Arc;

use sockets_tcp::rustls::client::danger::HandshakeSignatureValid;
use sockets_tcp::rustls::pki_types::{CertificateDer, UnixTime};
use sockets_tcp::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use sockets_tcp::rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::trusted_servers::is_meant;

/// Those who are signed by the authorities in the file, and those whose certificate is in it
/// itself.
#[derive(Debug)]
pub(super) struct TrustedClients {
    by_authority: Arc<dyn ClientCertVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl TrustedClients {
    pub(super) fn new(
        by_authority: Arc<dyn ClientCertVerifier>,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { by_authority, certificates }
    }
}

impl ClientCertVerifier for TrustedClients {
    /// Whose certificates are taken. A client may choose its certificate by this, and would find
    /// none where that is one which the file has itself: so nothing is said.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.by_authority.verify_client_cert(certificate, chain, now) {
            Err(error) if is_meant(&error) && self.certificates.contains(certificate) => {
                Ok(ClientCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}
