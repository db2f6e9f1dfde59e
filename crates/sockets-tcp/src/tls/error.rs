//! What TLS found wrong: in words for people, and as far as somebody can do something about it.

use std::fmt;
use std::io;

use tokio_rustls::rustls::{CertificateError, Error, InvalidMessage};

use super::alert::TlsAlert;
use super::words;

/// Why a TLS session was not begun, or broke: [`rustls::Error`](crate::rustls::Error), in words.
///
/// It is inside the [`io::Error`]s that reading and the handshake give where TLS decided and not
/// the connection below.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsError(Error);

/// What is wrong, as far as somebody can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// The peer ended the session, and said why.
    Alert(TlsAlert),
    /// The peer showed no certificate.
    NoCertificate,
    /// Nobody who is trusted here signed the peer's certificate.
    UnknownIssuer,
    /// The peer's certificate is not valid any more.
    Expired,
    /// The peer's certificate is not valid yet.
    NotYetValid,
    /// The peer's certificate is for other names.
    WrongName,
    /// The peer's certificate is that of an authority: what `openssl req -x509` makes is one, and
    /// signed by itself.
    IsAuthority,
    /// The peer's certificate is not accepted for another reason.
    BadCertificate,
    /// The two ends have no version, or nothing else that it takes, in common.
    Incompatible,
    /// What came is not TLS.
    NotTls,
    /// Something else: what came is broken, or not allowed.
    Other,
}

impl TlsError {
    /// The error as rustls has it.
    pub const fn rustls(&self) -> &Error {
        &self.0
    }

    /// What kind of fault it is.
    pub fn fault(&self) -> TlsFault {
        match &self.0 {
            Error::AlertReceived(alert) => TlsFault::Alert(TlsAlert::new(u8::from(*alert))),
            Error::NoCertificatesPresented => TlsFault::NoCertificate,
            Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    TlsFault::UnknownIssuer
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    TlsFault::Expired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    TlsFault::NotYetValid
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => TlsFault::WrongName,
                error if words::is_authority(error) => TlsFault::IsAuthority,
                _ => TlsFault::BadCertificate,
            },
            Error::UnsupportedNameType | Error::InvalidCertRevocationList(_) => {
                TlsFault::BadCertificate
            }
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsFault::Incompatible,
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => TlsFault::NotTls,
            _ => TlsFault::Other,
        }
    }

    /// What TLS found wrong, where it was TLS that failed: see the type.
    pub fn of_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The same error with this one inside where rustls' own was: for those who drive
    /// [`rustls`](crate::rustls) themselves.
    pub fn in_io(error: io::Error) -> io::Error {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(inner) => io::Error::new(error.kind(), Self(inner.clone())),
            None => error,
        }
    }
}

impl TlsFault {
    /// Whether trying again is no use before somebody has changed something: a certificate that is
    /// not accepted, ends that do not agree on how to speak TLS.
    pub const fn is_permanent(self) -> bool {
        match self {
            Self::Alert(alert) => alert.is_permanent(),
            Self::NoCertificate
            | Self::UnknownIssuer
            | Self::Expired
            | Self::NotYetValid
            | Self::WrongName
            | Self::IsAuthority
            | Self::BadCertificate
            | Self::Incompatible => true,
            Self::NotTls | Self::Other => false,
        }
    }

    /// Whether it is about the certificate that the peer showed, or did not show.
    pub(crate) const fn is_about_peers_certificate(self) -> bool {
        matches!(
            self,
            Self::NoCertificate
                | Self::UnknownIssuer
                | Self::Expired
                | Self::NotYetValid
                | Self::WrongName
                | Self::IsAuthority
                | Self::BadCertificate
        )
    }
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        words::write(f, &self.0)
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustls_put_into_an_io_error_is_found_again_in_words() {
        let error = io::Error::new(io::ErrorKind::InvalidData, Error::NoCertificatesPresented);
        assert!(TlsError::of_io(&error).is_none());
        let error = TlsError::in_io(error);
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let inside = TlsError::of_io(&error).unwrap();
        assert_eq!(inside.fault(), TlsFault::NoCertificate);
        assert_eq!(inside.rustls(), &Error::NoCertificatesPresented);
        assert_eq!(error.to_string(), "it showed no certificate, and needs one");
        let other = TlsError::in_io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(other.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        for (error, permanent) in [
            (Error::InvalidCertificate(CertificateError::Expired), true),
            (Error::NoApplicationProtocol, true),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), false),
            (Error::DecryptError, false),
        ] {
            assert_eq!(TlsError::from(error.clone()).fault().is_permanent(), permanent, "{error}");
        }
    }
}
