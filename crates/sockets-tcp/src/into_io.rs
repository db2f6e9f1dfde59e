//! Errors as `io::Error`, for functions that return that one: of the kind of their cause, and with the whole
//! error inside ([`io::Error::get_ref`]).

use std::error::Error;
use std::io;

use crate::{
    BindError, ClientRecvError, ClientSendError, ConnectError, FrameError, SendError,
    UnknownClientError,
};

/// Of the kind of the first I/O error among its causes; `otherwise` where there is none.
fn convert(error: impl Error + Send + Sync + 'static, mut otherwise: io::ErrorKind) -> io::Error {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            otherwise = error.kind();
            break;
        }
        cause = error.source();
    }
    io::Error::new(otherwise, error)
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        let otherwise = match &error {
            BindError::Claim { .. } => io::ErrorKind::AddrInUse,
            _ => io::ErrorKind::InvalidInput,
        };
        convert(error, otherwise)
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let otherwise = connect_kind(&error);
        convert(error, otherwise)
    }
}

/// The kind of an error without a cause; of those of several addresses, that of the last.
fn connect_kind(error: &ConnectError) -> io::ErrorKind {
    match error {
        ConnectError::NoAddress { .. } => io::ErrorKind::NotFound,
        ConnectError::TimedOut { .. } => io::ErrorKind::TimedOut,
        #[cfg(feature = "tls")]
        ConnectError::HandshakeTimedOut { .. } => io::ErrorKind::TimedOut,
        ConnectError::SelfConnection { .. } => io::ErrorKind::ConnectionRefused,
        ConnectError::AllFailed { failures, .. } => {
            failures.last().map_or(io::ErrorKind::Other, |last| {
                let cause = last.source().and_then(|cause| cause.downcast_ref::<io::Error>());
                cause.map_or_else(|| connect_kind(last), io::Error::kind)
            })
        }
        ConnectError::Closed { .. } => io::ErrorKind::NotConnected,
        #[cfg(feature = "tls")]
        ConnectError::Certificate { .. } => io::ErrorKind::InvalidData,
        _ => io::ErrorKind::Other,
    }
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        let kind = match &error {
            SendError::UnknownClient(_) => io::ErrorKind::NotConnected,
            SendError::TooLarge { .. } => io::ErrorKind::InvalidInput,
            SendError::Dropped { .. } => io::ErrorKind::ResourceBusy,
            SendError::SlowPeer { .. } => io::ErrorKind::TimedOut,
            SendError::Closed { .. } => io::ErrorKind::BrokenPipe,
        };
        Self::new(kind, error)
    }
}

impl From<UnknownClientError> for io::Error {
    fn from(error: UnknownClientError) -> Self {
        Self::new(io::ErrorKind::NotConnected, error)
    }
}

impl From<ClientSendError> for io::Error {
    fn from(error: ClientSendError) -> Self {
        let kind = match &error {
            ClientSendError::NotConnected { .. } => io::ErrorKind::NotConnected,
            ClientSendError::Closed { .. } => io::ErrorKind::BrokenPipe,
            ClientSendError::TooLarge { .. } => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

impl From<ClientRecvError> for io::Error {
    fn from(error: ClientRecvError) -> Self {
        let otherwise = match &error {
            ClientRecvError::Ended { .. } => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::ConnectionAborted,
        };
        convert(error, otherwise)
    }
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => error,
            FrameError::Incomplete { .. } => Self::new(io::ErrorKind::UnexpectedEof, error),
            _ => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_kind_is_that_of_the_cause_and_the_error_is_inside() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let source = io::ErrorKind::ConnectionRefused.into();
        let refused = ConnectError::Refused { address, source };
        let text = refused.to_string();
        let error = io::Error::from(refused);
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::ConnectionRefused, text));
        assert!(error.get_ref().unwrap().is::<ConnectError>());

        let (target, timeout) = (address.into(), Duration::from_secs(1));
        let late = ConnectError::TimedOut { target, timeout };
        let target = address.into();
        let all = ConnectError::AllFailed { target, failures: vec![late], untried: Vec::new() };
        assert_eq!(io::Error::from(all).kind(), io::ErrorKind::TimedOut);
    }
}
