//! Where a command listens: at an endpoint, or on a socket that was passed to it.

use std::fmt;
use std::str::FromStr;

use ports_core::{Endpoint, ParseEndpointError, Scheme};

/// `ENDPOINT`, or `fd:[NAME]`: the listening sockets that the starter passed (`LISTEN_FDS`), all or
/// those of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Endpoint(Endpoint),
    Inherited(Option<String>),
}

impl Place {
    /// What is passed is TCP.
    pub(crate) const fn scheme(&self) -> Scheme {
        match self {
            Self::Endpoint(endpoint) => endpoint.scheme(),
            Self::Inherited(_) => Scheme::Tcp,
        }
    }

    /// The endpoint, where there is one.
    pub(crate) const fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Endpoint(endpoint) => Some(endpoint),
            Self::Inherited(_) => None,
        }
    }
}

impl FromStr for Place {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("fd:") {
            Some("" | "//") => Ok(Self::Inherited(None)),
            Some(name) => {
                let name = name.strip_prefix("//").unwrap_or(name);
                Ok(Self::Inherited(Some(name.to_owned())))
            }
            None => text.parse().map(Self::Endpoint),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => endpoint.fmt(f),
            Self::Inherited(name) => write!(f, "fd:{}", name.as_deref().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_told_from_endpoints() {
        for (text, expected) in [
            ("fd:", Place::Inherited(None)),
            ("fd://", Place::Inherited(None)),
            ("fd:web", Place::Inherited(Some("web".into()))),
            ("[fd::1]:80", Place::Endpoint("tcp://[fd::1]:80".parse().unwrap())),
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), expected, "{text}");
        }
        assert_eq!("fd:web".parse::<Place>().unwrap().to_string(), "fd:web");
    }
}
