//! A failure as an event carries it: what was done, and what came of it.

use std::fmt;
use std::io;

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

/// A failure: the operation, the kind of I/O error where it was one, and its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {text}")]
pub struct Failure {
    operation: Operation,
    kind: Option<io::ErrorKind>,
    text: String,
}

impl Failure {
    pub(crate) fn new(operation: Operation, text: impl Into<String>) -> Self {
        Self { operation, kind: None, text: text.into() }
    }

    pub(crate) fn of_io(operation: Operation, error: &io::Error) -> Self {
        Self { operation, kind: Some(error.kind()), text: error.to_string() }
    }

    /// What was done.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The kind of I/O error, where it was one.
    pub const fn kind(&self) -> Option<io::ErrorKind> {
        self.kind
    }

    /// The error in words.
    pub fn text(&self) -> &str {
        &self.text
    }
}
