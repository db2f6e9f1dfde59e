//! A failure as an event carries it: what was done, and what came of it.

use std::error::Error;
use std::fmt;
use std::io;

use crate::handler::HandlerError;
#[cfg(feature = "tls")]
use crate::tls::{TlsError, TlsFault};

/// What was done when something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Operation {
    /// Accepting a connection.
    Accept,
    /// Connecting.
    Connect,
    /// Beginning a TLS session.
    Handshake,
    /// Reading from a connection.
    Read,
    /// Writing to a connection.
    Write,
    /// The handler's own work.
    Handler,
}

impl Operation {
    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Read => "read",
            Self::Write => "write",
            Self::Handler => "handler",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An error and its causes in one line.
pub(crate) fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A failure: the operation, the kind of I/O error where it was one, and its text. Serialised, it is
/// the operation and the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, thiserror::Error)]
#[error("{operation}: {text}")]
pub struct Failure {
    operation: Operation,
    #[serde(skip)]
    kind: Option<io::ErrorKind>,
    text: String,
    #[cfg(feature = "tls")]
    #[serde(skip)]
    tls: Option<TlsFault>,
}

impl Failure {
    pub(crate) fn new(operation: Operation, text: impl Into<String>) -> Self {
        Self {
            operation,
            kind: None,
            text: text.into(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// What a handler returned.
    pub(crate) fn of_handler(error: &HandlerError) -> Self {
        Self::new(Operation::Handler, in_full(error.source()))
    }

    pub(crate) fn of_io(operation: Operation, error: &io::Error) -> Self {
        Self {
            operation,
            kind: Some(error.kind()),
            text: error.to_string(),
            #[cfg(feature = "tls")]
            tls: TlsError::of_io(error).map(TlsError::fault),
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn with_tls(self, tls: Option<TlsFault>) -> Self {
        Self { tls, ..self }
    }

    /// What was done.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The kind of I/O error, where it was one.
    pub const fn kind(&self) -> Option<io::ErrorKind> {
        self.kind
    }

    /// What is wrong, where it was TLS that failed.
    #[cfg(feature = "tls")]
    pub const fn tls(&self) -> Option<TlsFault> {
        self.tls
    }

    /// The error in words, with its causes.
    pub fn text(&self) -> &str {
        &self.text
    }
}
