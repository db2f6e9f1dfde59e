//! Alerts: by which a peer says why it ends a TLS session.

use std::fmt;

/// An alert by which the peer ended a TLS session (RFC 8446 section 6, RFC 5246 section 7.2).
///
/// In TLS 1.3 a client's handshake is over before the server has seen the client's certificate: what
/// the server has against it comes as an alert where data was to come.
///
/// Displayed, it says what the peer means, and its name.
///
/// ```
/// use sockets_tcp::TlsAlert;
///
/// let alert = TlsAlert::CERTIFICATE_REQUIRED;
/// assert_eq!((alert.code(), alert.name()), (116, Some("certificate_required")));
/// assert_eq!(alert.to_string(), "it wants a certificate and got none (alert certificate_required)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlsAlert(u8);

impl TlsAlert {
    /// The two ends agree on no parameters; before TLS 1.3 also: a certificate is missing.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// A certificate is broken, or its signature is.
    pub const BAD_CERTIFICATE: Self = Self(42);
    /// A certificate of a kind that the peer does not take.
    pub const UNSUPPORTED_CERTIFICATE: Self = Self(43);
    /// A certificate was revoked.
    pub const CERTIFICATE_REVOKED: Self = Self(44);
    /// A certificate is not valid any more, or not yet.
    pub const CERTIFICATE_EXPIRED: Self = Self(45);
    /// A certificate was not accepted for another reason.
    pub const CERTIFICATE_UNKNOWN: Self = Self(46);
    /// The authority that signed a certificate is not trusted.
    pub const UNKNOWN_CA: Self = Self(48);
    /// The certificate is valid, and its holder may not enter.
    pub const ACCESS_DENIED: Self = Self(49);
    /// No version of TLS in common.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// The server has no such name.
    pub const UNRECOGNIZED_NAME: Self = Self(112);
    /// The server wants a certificate, and the client showed none.
    pub const CERTIFICATE_REQUIRED: Self = Self(116);
    /// No application protocol in common.
    pub const NO_APPLICATION_PROTOCOL: Self = Self(120);

    /// The alert of this number.
    pub const fn new(code: u8) -> Self {
        Self(code)
    }

    /// Its number, as in the [registry](https://www.iana.org/assignments/tls-parameters).
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Its name in the RFCs; `None` for a number that has none.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => return None,
        })
    }

    /// Whether trying again is no use before somebody has changed something: it is about a
    /// certificate, or about what the two ends speak.
    pub const fn is_permanent(self) -> bool {
        matches!(self.0, 40 | 42..=46 | 48 | 49 | 70 | 71 | 112 | 116 | 120)
    }

    /// What the peer means, of itself in the third person and of this end in the first.
    const fn meaning(self) -> &'static str {
        match self.0 {
            40 => "it found no way to agree with us, or wants a certificate and got none",
            42 => "our certificate is broken, not valid yet, or for another name",
            43 => "our certificate is of a kind that it does not take",
            44 => "our certificate was revoked",
            45 => "our certificate is not valid any more, or not yet",
            46 => "it does not accept our certificate",
            48 => "it does not trust who signed our certificate",
            49 => "it knows our certificate, and does not let us in",
            70 | 86 => "it speaks no version of TLS that we speak",
            71 => "what we offer is not secure enough for it",
            80 => "it failed by itself",
            112 => "it does not know the name that was asked for",
            116 => "it wants a certificate and got none",
            120 => "it speaks no application protocol that we offer",
            51 => "a signature of ours, or of who signed our certificate, is wrong for it",
            10 | 20 | 22 | 47 | 50 | 109 | 110 => "it did not understand what it got",
            _ => "it says why by a number",
        }
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} (alert {name})", self.meaning()),
            None => write!(f, "{} (alert {})", self.meaning(), self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::AlertDescription;

    use super::*;

    #[test]
    fn numbers_are_those_of_rustls() {
        for (alert, of_rustls) in [
            (TlsAlert::HANDSHAKE_FAILURE, AlertDescription::HandshakeFailure),
            (TlsAlert::BAD_CERTIFICATE, AlertDescription::BadCertificate),
            (TlsAlert::UNSUPPORTED_CERTIFICATE, AlertDescription::UnsupportedCertificate),
            (TlsAlert::CERTIFICATE_REVOKED, AlertDescription::CertificateRevoked),
            (TlsAlert::CERTIFICATE_EXPIRED, AlertDescription::CertificateExpired),
            (TlsAlert::CERTIFICATE_UNKNOWN, AlertDescription::CertificateUnknown),
            (TlsAlert::UNKNOWN_CA, AlertDescription::UnknownCA),
            (TlsAlert::ACCESS_DENIED, AlertDescription::AccessDenied),
            (TlsAlert::PROTOCOL_VERSION, AlertDescription::ProtocolVersion),
            (TlsAlert::UNRECOGNIZED_NAME, AlertDescription::UnrecognisedName),
            (TlsAlert::CERTIFICATE_REQUIRED, AlertDescription::CertificateRequired),
            (TlsAlert::NO_APPLICATION_PROTOCOL, AlertDescription::NoApplicationProtocol),
        ] {
            assert_eq!(alert.code(), u8::from(of_rustls));
            assert!(alert.is_permanent() && alert.name().is_some(), "{alert}");
        }
        assert!(!TlsAlert::new(80).is_permanent(), "an internal error may pass");
        assert_eq!(TlsAlert::new(255).to_string(), "it says why by a number (alert 255)");
    }
}
