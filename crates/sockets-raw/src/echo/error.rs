//! Why an echo socket cannot be opened, or cannot be used.

use std::io;
use std::net::IpAddr;

use super::EchoMethod;

/// Why an echo socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EchoOpenError {
    /// The process may not.
    #[error(
        "cannot open {} without CAP_NET_RAW, or its group in net.ipv4.ping_group_range \
         (`sudo sysctl net.ipv4.ping_group_range=\"0 2147483647\"`)", what(*method)
    )]
    NotPermitted {
        /// The method that was tried last.
        method: EchoMethod,
        /// The cause.
        source: io::Error,
    },
    /// The system cannot.
    #[error("cannot open {}", what(*method))]
    Socket {
        /// The method.
        method: EchoMethod,
        /// The cause.
        source: io::Error,
    },
}

const fn what(method: EchoMethod) -> &'static str {
    match method {
        EchoMethod::Raw => "a raw ICMP socket",
        EchoMethod::Datagram => "an ICMP datagram socket",
    }
}

impl EchoOpenError {
    pub(super) fn of(method: EchoMethod, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted { method, source },
            _ => Self::Socket { method, source },
        }
    }
}

/// Why an echo request did not leave this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EchoSendError {
    /// The kernel did not take it.
    #[error("cannot send an echo request to {host}")]
    Send {
        /// Whom it was for.
        host: IpAddr,
        /// The cause.
        source: io::Error,
    },
    /// The socket asks over the other IP version.
    #[error("an echo socket of the other IP version cannot ask {host}")]
    OtherVersion {
        /// Whom it was for.
        host: IpAddr,
    },
}

/// Receiving failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("cannot receive echo replies over IPv{version} from {}", what(*method))]
pub struct EchoReceiveError {
    /// What the socket is built on.
    pub method: EchoMethod,
    /// Its IP version.
    pub version: u8,
    /// The cause.
    pub source: io::Error,
}
