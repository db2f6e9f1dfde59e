//! Arguments of `ports lookup`.

use std::str::FromStr;

use ports_core::{ParseRangeError, ParseTransportError, PortRange, Transport};

use super::OutputArgs;

/// Arguments of `ports lookup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n\
    \x20 ports lookup 5432 https\n\
    \x20 ports lookup 6000-6063\n")]
pub(crate) struct LookupArgs {
    /// Ports (443, 443/tcp), ranges (6000-6063) and service names (https)
    #[arg(required = true, value_name = "PORT|NAME|RANGE", value_delimiter = ',')]
    pub(crate) queries: Vec<Query>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What to look up, in one transport or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) what: Subject,
    pub(crate) transport: Option<Transport>,
}

/// Ports or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Ports(PortRange),
    Name(String),
}

/// Why a text cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParseQueryError {
    #[error(transparent)]
    Range(#[from] ParseRangeError),
    #[error(transparent)]
    Transport(#[from] ParseTransportError),
}

/// Digits and hyphens make a port or a range; whatever has a letter is a name (RFC 6335 section 5.1
/// demands one). `/tcp` behind either asks for that transport only.
impl FromStr for Query {
    type Err = ParseQueryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (what, transport) = match text.split_once('/') {
            Some((what, transport)) => (what, Some(transport.parse()?)),
            None => (text, None),
        };
        let what = if what.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            Subject::Ports(what.parse()?)
        } else {
            Subject::Name(what.to_owned())
        };
        Ok(Self { what, transport })
    }
}
