//! Errors as `io::Error`, for functions that return that one: of the kind of their cause, and with the whole
//! error inside ([`io::Error::get_ref`]).

use std::error::Error;
use std::io;

use crate::{
    EchoOpenError, EchoReceiveError, EchoSendError, InterfaceError, OpenError, QueryError,
    ReceiveError, RouteError, SendError, SniffError,
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

macro_rules! into_io {
    ($($name:ty => $otherwise:ident),+ $(,)?) => {$(
        impl From<$name> for io::Error {
            fn from(error: $name) -> Self {
                convert(error, io::ErrorKind::$otherwise)
            }
        }
    )+};
}

into_io! {
    OpenError => InvalidInput,
    SendError => InvalidInput,
    ReceiveError => Other,
    EchoOpenError => Other,
    EchoSendError => InvalidInput,
    EchoReceiveError => Other,
    SniffError => NetworkDown,
    RouteError => NetworkUnreachable,
    InterfaceError => NotFound,
    QueryError => Other,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::OpenStep;

    #[test]
    fn the_kind_is_that_of_the_cause_and_the_error_is_inside() {
        let address = Ipv4Addr::LOCALHOST.into();
        let source = io::ErrorKind::AddrNotAvailable.into();
        let error = OpenError::Step { step: OpenStep::BindAddress { address }, source };
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert_eq!(error.to_string(), "cannot bind to 127.0.0.1");
        let address = Ipv4Addr::new(192, 0, 2, 1).into();
        let error = io::Error::from(RouteError::NoRoute { address });
        assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
    }
}
