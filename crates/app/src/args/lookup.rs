//! Arguments of `ports lookup`.

use std::str::FromStr;

use ports_core::{ParseRangeError, PortRange};

use super::OutputArgs;

/// Arguments of `ports lookup`.
#[derive(Debug, clap::Args)]
pub(crate) struct LookupArgs {
    /// Ports (443), ranges (6000-6063) and service names (https)
    #[arg(required = true, value_name = "PORT|NAME|RANGE")]
    pub(crate) queries: Vec<Query>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    Ports(PortRange),
    Name(String),
}

/// Digits and hyphens make a port or a range; whatever has a letter is a name (RFC 6335 section 5.1
/// demands one).
impl FromStr for Query {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            text.parse().map(Self::Ports)
        } else {
            Ok(Self::Name(text.to_owned()))
        }
    }
}
