//! `--ca`: a verifier that also knows a self-signed certificate that is in the file itself.

use std::sync::Arc;

use sockets_tcp::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use sockets_tcp::rustls::client::{WebPkiServerVerifier, verify_server_name};
use sockets_tcp::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use sockets_tcp::rustls::server::ParsedCertificate;
use sockets_tcp::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Authorities, as webpki checks what they sign. What `openssl req -x509` makes is an authority and
/// a server's certificate in one, which webpki refuses to take for a server's: where it is in the
/// file, letter for letter, it is the one that was meant.
#[derive(Debug)]
pub(super) struct Known {
    by_authority: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Known {
    pub(super) fn new(
        by_authority: Arc<WebPkiServerVerifier>,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { by_authority, certificates }
    }
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.by_authority.verify_server_cert(certificate, chain, name, ocsp, now);
        match verified {
            // webpki looks at the dates before it looks at this.
            Err(Error::InvalidCertificate(CertificateError::Other(why)))
                if is_authority(&why.0) && self.certificates.contains(certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
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

/// rustls has no name for this error of webpki's, so its text is what tells it.
fn is_authority(error: &Arc<dyn std::error::Error + Send + Sync>) -> bool {
    error.to_string() == "CaUsedAsEndEntity"
}
