//! Errors as `io::Error`, for functions that return that one: of the kind of their cause, and with the whole
//! error inside ([`io::Error::get_ref`]).

use std::error::Error;
use std::io;

use crate::{KernelPortsError, LeaseError, ListError};

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

impl From<LeaseError> for io::Error {
    fn from(error: LeaseError) -> Self {
        let otherwise = match &error {
            LeaseError::NoPorts => io::ErrorKind::InvalidInput,
            LeaseError::NoHome => io::ErrorKind::NotFound,
            LeaseError::KernelPorts { .. } => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::AddrInUse,
        };
        convert(error, otherwise)
    }
}

impl From<KernelPortsError> for io::Error {
    fn from(error: KernelPortsError) -> Self {
        convert(error, io::ErrorKind::InvalidData)
    }
}

impl From<ListError> for io::Error {
    fn from(error: ListError) -> Self {
        convert(error, io::ErrorKind::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, lease};

    #[test]
    fn a_leased_port_is_an_address_in_use() {
        let first = lease(&Request::tcp()).unwrap();
        let second = lease(&Request::tcp().exact(first.port())).unwrap_err();
        let error = io::Error::from(second);
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.get_ref().unwrap().is::<LeaseError>());
    }
}
