//! Which servers a client believes: `--ca`, the system's authorities, or with `--insecure` anybody.

use std::sync::Arc;

use sockets_tcp::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use sockets_tcp::rustls::client::{WebPkiServerVerifier, verify_server_name};
use sockets_tcp::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use sockets_tcp::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use sockets_tcp::rustls::server::ParsedCertificate;
use sockets_tcp::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use sockets_tcp::{TlsError, TlsFault};

/// Whoever they are, they have to have the key of the certificate that they show.
#[derive(Debug)]
pub(super) struct TrustedServers {
    provider: Arc<CryptoProvider>,
    trust: Trust,
}

#[derive(Debug)]
enum Trust {
    Anybody,
    /// Those who are signed by authorities, and those whose certificate is known itself.
    Known {
        by_authority: Arc<WebPkiServerVerifier>,
        certificates: Vec<CertificateDer<'static>>,
    },
}

impl TrustedServers {
    pub(super) const fn anybody(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, trust: Trust::Anybody }
    }

    pub(super) const fn known(
        provider: Arc<CryptoProvider>,
        by_authority: Arc<WebPkiServerVerifier>,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { provider, trust: Trust::Known { by_authority, certificates } }
    }
}

/// Whether a certificate that is not accepted for `error` was meant all the same, where it is known
/// letter for letter. What `openssl req -x509` makes is an authority and a server's certificate in
/// one, which webpki takes for the former only; and one may be trusted without the authority that
/// signed it. webpki looks at the dates and the purpose before it looks at these.
pub(super) fn is_meant(error: &Error) -> bool {
    match error {
        // Not a signature that is wrong.
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        error => TlsError::from(error.clone()).fault() == TlsFault::IsAuthority,
    }
}

impl ServerCertVerifier for TrustedServers {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Known { by_authority, certificates } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        match by_authority.verify_server_cert(certificate, chain, name, ocsp, now) {
            Err(error) if is_meant(&error) && certificates.contains(certificate) => {
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
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
