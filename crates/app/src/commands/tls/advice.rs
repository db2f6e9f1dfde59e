//! What to do about what TLS found wrong, by the options that there are.

use sockets_tcp::{ConnectError, TlsAlert, TlsFault};

/// At which end it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum End {
    Client,
    Listener,
}

/// What can be done at this end, or is to be done at the other; nothing where nobody knows.
pub(in crate::commands) fn advice(fault: TlsFault, end: End) -> Option<&'static str> {
    match (end, fault) {
        (End::Client, TlsFault::Alert(alert)) => to_client(alert),
        (End::Client, TlsFault::UnknownIssuer) => Some(
            "give the certificate of the authority that signed it, or its own, with --ca FILE; or \
             believe whoever answers, with --insecure",
        ),
        (End::Client, TlsFault::IsAuthority) => Some(
            "where that is meant, as with a self-signed one, give that very certificate with --ca \
             FILE; or believe whoever answers, with --insecure",
        ),
        (End::Client, TlsFault::Expired | TlsFault::NotYetValid) => {
            Some("the server needs another one, unless the clock here is wrong")
        }
        (End::Client, TlsFault::WrongName) => {
            Some("connect to a name that it has, or ask for one with --server-name NAME")
        }
        (End::Client, TlsFault::NotTls) => {
            Some("where the server speaks plain TCP, connect to tcp://")
        }
        (End::Listener, TlsFault::Alert(alert)) => to_listener(alert),
        (End::Listener, TlsFault::NoCertificate) => {
            Some("the client is to show one (--cert and --key), as --ca is given here")
        }
        (End::Listener, TlsFault::UnknownIssuer) => {
            Some("--ca is to hold the authority that signed it, or the certificate itself")
        }
        (End::Listener, TlsFault::IsAuthority) => {
            Some("where that is meant, --ca is to hold that very certificate")
        }
        (End::Listener, TlsFault::Expired | TlsFault::NotYetValid) => {
            Some("the client needs another one, unless the clock here is wrong")
        }
        (End::Listener, TlsFault::NotTls) => Some("a client that speaks plain TCP, or a scanner"),
        _ => None,
    }
}

fn to_client(alert: TlsAlert) -> Option<&'static str> {
    match alert {
        TlsAlert::CERTIFICATE_REQUIRED => Some("give one with --cert FILE and --key FILE"),
        TlsAlert::HANDSHAKE_FAILURE => {
            Some("where it wants a certificate, give one with --cert FILE and --key FILE")
        }
        TlsAlert::UNKNOWN_CA => Some(
            "the server is to be told of that authority, or --cert is to hold the whole chain, or \
             another certificate",
        ),
        TlsAlert::BAD_CERTIFICATE
        | TlsAlert::UNSUPPORTED_CERTIFICATE
        | TlsAlert::CERTIFICATE_REVOKED
        | TlsAlert::CERTIFICATE_EXPIRED
        | TlsAlert::CERTIFICATE_UNKNOWN
        | TlsAlert::ACCESS_DENIED => Some("give another one with --cert FILE and --key FILE"),
        TlsAlert::UNRECOGNIZED_NAME => Some("ask for another one with --server-name NAME"),
        _ => None,
    }
}

fn to_listener(alert: TlsAlert) -> Option<&'static str> {
    match alert {
        TlsAlert::UNKNOWN_CA => {
            Some("the client is to be told of that authority, or --cert is to hold the whole chain")
        }
        TlsAlert::CERTIFICATE_EXPIRED => {
            Some("--cert is to hold a new one, unless the client's clock is wrong")
        }
        TlsAlert::BAD_CERTIFICATE => {
            Some("--cert is to hold one for the name that the client asks for")
        }
        TlsAlert::CERTIFICATE_UNKNOWN => {
            Some("a self-signed one the client takes only where it is told of that very one")
        }
        _ => None,
    }
}

/// A failure to connect, with what to do about it.
pub(in crate::commands) fn with_advice(error: ConnectError) -> anyhow::Error {
    let advice = error.tls_fault().and_then(|fault| advice(fault, End::Client));
    let error = anyhow::Error::from(error);
    match advice {
        Some(advice) => anyhow::anyhow!("{error:#}; {advice}"),
        None => error,
    }
}
