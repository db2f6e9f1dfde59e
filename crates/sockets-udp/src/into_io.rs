//! Errors as `io::Error`, for functions that return that one: of the kind of their cause, and with the whole
//! error inside ([`io::Error::get_ref`]).

use std::error::Error;
use std::io;

use crate::{
    BindError, BroadcastError, InterfaceError, JoinError, LeaveError, RecvError, SendError,
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
            BindError::Connect(error) => error.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        convert(error, otherwise)
    }
}

impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl From<RecvError> for io::Error {
    fn from(error: RecvError) -> Self {
        convert(error, io::ErrorKind::NotConnected)
    }
}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        let otherwise = match &error {
            JoinError::Closed { .. } => io::ErrorKind::NotConnected,
            JoinError::AlreadyJoined { .. } => io::ErrorKind::AlreadyExists,
            _ => io::ErrorKind::InvalidInput,
        };
        convert(error, otherwise)
    }
}

impl From<LeaveError> for io::Error {
    fn from(error: LeaveError) -> Self {
        let otherwise = match &error {
            LeaveError::Closed { .. } => io::ErrorKind::NotConnected,
            _ => io::ErrorKind::NotFound,
        };
        convert(error, otherwise)
    }
}

impl From<InterfaceError> for io::Error {
    fn from(error: InterfaceError) -> Self {
        convert(error, io::ErrorKind::NotFound)
    }
}

impl From<BroadcastError> for io::Error {
    fn from(error: BroadcastError) -> Self {
        convert(error, io::ErrorKind::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn the_kind_is_that_of_the_cause_and_the_error_is_inside() {
        let local = SocketAddr::from(([127, 0, 0, 1], 9));
        let source = io::ErrorKind::ConnectionRefused.into();
        let error = io::Error::from(RecvError::PeerUnreachable { local, source });
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.get_ref().unwrap().is::<RecvError>());
        let closed = io::Error::from(RecvError::Closed { local });
        assert_eq!(closed.kind(), io::ErrorKind::NotConnected);
    }
}
