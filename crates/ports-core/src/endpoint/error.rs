//! Why a text is not an endpoint.

use std::fmt;

use crate::service::Meant;
use crate::{ParsePortErrorKind, Port, Transport};

/// The text that is not an endpoint, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an endpoint: {kind}")]
pub struct ParseEndpointError {
    text: String,
    kind: ParseEndpointErrorKind,
}

impl ParseEndpointError {
    pub(super) fn new(text: &str, kind: ParseEndpointErrorKind) -> Self {
        Self { text: text.to_owned(), kind }
    }

    /// The text as given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it.
    pub const fn kind(&self) -> &ParseEndpointErrorKind {
        &self.kind
    }
}

/// What is wrong with a text that should be an endpoint, and with which part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseEndpointErrorKind {
    /// A scheme other than the three.
    #[error("unknown scheme `{scheme}`: expected tcp, udp or tls")]
    Scheme {
        /// The scheme as given.
        scheme: String,
    },
    /// A host that is neither a name nor an address.
    #[error("host `{host}` is neither a name nor an address")]
    Host {
        /// The host as given.
        host: String,
    },
    /// An IPv6 address without brackets: where it ends and the port begins is a guess.
    #[error("host `{host}` has a colon: an IPv6 address stands in brackets, `[::1]:80`")]
    NoBrackets {
        /// The host as given.
        host: String,
    },
    /// Something behind the port, as a URL has it.
    #[error("path `{path}`: an endpoint ends with its port, and options")]
    Path {
        /// The path as given.
        path: String,
    },
    /// Nothing after the host.
    #[error("no port: expected `HOST:PORT`")]
    NoPort,
    /// A number that is no port, or no port where one should be.
    #[error("port `{port}`: {reason}")]
    Port {
        /// The port as given.
        port: String,
        /// What is wrong with it.
        reason: ParsePortErrorKind,
    },
    /// A port by a name that no service of the transport has.
    #[error(
        "port `{name}` is neither a number nor the name of a {transport} service{}",
        Meant { name, transports: &[*transport] }
    )]
    UnknownService {
        /// The name as given.
        name: String,
        /// The transport of the endpoint.
        transport: Transport,
        /// The transports that do have it.
        others: Vec<Transport>,
    },
    /// A port by a name that several ports have.
    #[error("port `{name}` could be {first}, {second}{}: write the number", More(*more))]
    AmbiguousService {
        /// The name as given.
        name: String,
        /// The lowest port with the name.
        first: Port,
        /// The next one.
        second: Port,
        /// How many more there are.
        more: usize,
    },
    /// An option other than the three.
    #[error("unknown option `{option}`: expected iface, ttl or source")]
    UnknownOption {
        /// The option as given.
        option: String,
    },
    /// An option given twice.
    #[error("option `{option}` is given twice")]
    RepeatedOption {
        /// The option.
        option: String,
    },
    /// A value that the option cannot have.
    #[error("option `{option}` cannot be `{value}`: {}", expectation(option))]
    OptionValue {
        /// The option.
        option: String,
        /// The value as given.
        value: String,
    },
}

fn expectation(option: &str) -> &'static str {
    match option {
        "ttl" => "expected 0 to 255",
        "source" => "expected an IP address",
        _ => "expected an interface",
    }
}

/// ` or 61 more`, or nothing.
struct More(usize);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " or {} more", self.0) }
    }
}
