//! The errors of rustls in words for people; "it" is the peer.

use std::fmt::{self, Debug, Formatter};

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{
    CertificateError, Error, ExtendedKeyPurpose, InconsistentKeys, InvalidMessage, PeerIncompatible,
};

use super::alert::TlsAlert;
use super::date::Date;

pub(super) fn write(f: &mut Formatter<'_>, error: &Error) -> fmt::Result {
    match error {
        Error::AlertReceived(alert) => {
            write!(f, "the peer refused: {}", TlsAlert::new(u8::from(*alert)))
        }
        Error::NoCertificatesPresented => f.write_str("it showed no certificate, and needs one"),
        Error::InvalidCertificate(error) => certificate(f, error),
        Error::PeerIncompatible(why) => incompatible(f, why),
        Error::NoApplicationProtocol => f.write_str("no application protocol in common"),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => f.write_str("what came is not TLS"),
        Error::InvalidMessage(why) => {
            write!(f, "what came is broken: {}", spaced(why))
        }
        Error::PeerMisbehaved(why) => {
            write!(f, "it does not keep to the rules of TLS: {}", spaced(why))
        }
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            f.write_str("it does not keep to the rules of TLS: a message out of turn")
        }
        Error::PeerSentOversizedRecord => {
            f.write_str("it does not keep to the rules of TLS: a record that is too large")
        }
        Error::DecryptError => f.write_str("what came cannot be decrypted: broken on the way"),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            f.write_str("the key is not that of the certificate")
        }
        Error::InconsistentKeys(_) => {
            f.write_str("whether the key is that of the certificate cannot be told")
        }
        Error::UnsupportedNameType => f.write_str("no certificate can have such a name"),
        Error::InvalidCertRevocationList(why) => {
            write!(f, "the list of revoked certificates is not accepted: {}", spaced(why))
        }
        Error::InvalidEncryptedClientHello(why) => {
            write!(f, "the encrypted beginning was not accepted: {}", spaced(why))
        }
        // These are sentences of rustls' own.
        error => fmt::Display::fmt(error, f),
    }
}

fn certificate(f: &mut Formatter<'_>, error: &CertificateError) -> fmt::Result {
    match error {
        CertificateError::BadEncoding => f.write_str("its certificate is broken"),
        CertificateError::Expired => f.write_str("its certificate has expired"),
        CertificateError::ExpiredContext { time, not_after } => {
            let (then, now) = (date(*not_after), date(*time));
            write!(f, "its certificate expired at {then}, and here it is {now}")
        }
        CertificateError::NotValidYet => f.write_str("its certificate is not valid yet"),
        CertificateError::NotValidYetContext { time, not_before } => {
            let (then, now) = (date(*not_before), date(*time));
            write!(f, "its certificate is not valid before {then}, and here it is {now}")
        }
        CertificateError::Revoked => f.write_str("its certificate was revoked"),
        CertificateError::UnknownIssuer => {
            f.write_str("its certificate is signed by nobody who is trusted here")
        }
        CertificateError::BadSignature => f.write_str(
            "its certificate, or its handshake, is not signed with the key that it names: another \
             authority of the same name, or an impostor",
        ),
        CertificateError::NotValidForName => f.write_str("its certificate is for another name"),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            match &presented[..] {
                [] => write!(f, "its certificate is for no name at all, not for {expected}"),
                names => {
                    let names: Vec<_> = names.iter().map(|name| bare_name(name)).collect();
                    write!(f, "its certificate is for {}, not for {expected}", names.join(", "))
                }
            }
        }
        CertificateError::InvalidPurpose => f.write_str("its certificate is for another purpose"),
        CertificateError::InvalidPurposeContext { required, .. } => {
            write!(f, "its certificate is not meant for {}", purpose(required))
        }
        error if is_authority(error) => {
            f.write_str("its certificate is that of an authority, not of one who connects")
        }
        CertificateError::Other(why) => {
            write!(f, "its certificate is not accepted: {}", spaced(&why.0))
        }
        CertificateError::ApplicationVerificationFailure => {
            f.write_str("its certificate is not accepted")
        }
        error => write!(f, "its certificate is not accepted: {}", spaced(error)),
    }
}

/// rustls has no name for this error of webpki's, so its text is what tells it.
pub(super) fn is_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(why) if why.0.to_string() == "CaUsedAsEndEntity")
}

fn incompatible(f: &mut Formatter<'_>, why: &PeerIncompatible) -> fmt::Result {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            f.write_str("no version of TLS in common: here 1.2 and 1.3 are spoken")
        }
        why => write!(f, "the two ends do not fit together: {}", spaced(why)),
    }
}

fn purpose(purpose: &ExtendedKeyPurpose) -> &'static str {
    match purpose {
        ExtendedKeyPurpose::ClientAuth => "a client",
        ExtendedKeyPurpose::ServerAuth => "a server",
        ExtendedKeyPurpose::Other(_) => "this use",
    }
}

fn date(time: UnixTime) -> Date {
    Date::of_unix_time(time.as_secs())
}

/// `DnsName("localhost")` and `IpAddress(127.0.0.1)` without what stands around them.
fn bare_name(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.map_or(name, |inside| inside.trim_matches('"'))
}

/// The words of a name of Rust's: `NoCipherSuitesInCommon` is "no cipher suites in common".
fn spaced(error: &impl Debug) -> String {
    let mut text = String::new();
    for letter in format!("{error:?}").chars() {
        if letter.is_ascii_uppercase() && text.ends_with(|before: char| before.is_alphanumeric()) {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{AlertDescription, OtherError};

    use super::*;
    use crate::tls::TlsError;

    fn time(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    /// What webpki gives for it.
    #[derive(Debug, thiserror::Error)]
    #[error("{self:?}")]
    struct CaUsedAsEndEntity;

    #[test]
    fn people_can_read_them() {
        for (error, words) in [
            (
                CertificateError::ExpiredContext {
                    time: time(1_000_000_000),
                    not_after: time(978_307_200),
                }
                .into(),
                "its certificate expired at 2001-01-01 00:00:00 UTC, and here it is 2001-09-09 \
                 01:46:40 UTC",
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: ServerName::try_from("other.test").unwrap(),
                    presented: vec![
                        "DnsName(\"server.test\")".to_owned(),
                        "IpAddress(127.0.0.1)".to_owned(),
                    ],
                }
                .into(),
                "its certificate is for server.test, 127.0.0.1, not for other.test",
            ),
            (
                CertificateError::Other(OtherError(Arc::new(CaUsedAsEndEntity))).into(),
                "its certificate is that of an authority, not of one who connects",
            ),
            (
                Error::AlertReceived(AlertDescription::CertificateRequired),
                "the peer refused: it wants a certificate and got none (alert \
                 certificate_required)",
            ),
            (
                PeerIncompatible::NoCipherSuitesInCommon.into(),
                "the two ends do not fit together: no cipher suites in common",
            ),
            (InconsistentKeys::KeyMismatch.into(), "the key is not that of the certificate"),
        ] {
            assert_eq!(TlsError::from(error).to_string(), words);
        }
    }
}
