//! Where a command listens: at an endpoint, or on a socket that was passed to it.

use std::fmt;
use std::str::FromStr;

use ports_core::{Endpoint, ParseEndpointError, Scheme};

/// `ENDPOINT`, or `fd:[NAME]`: the listening sockets that the starter passed (`LISTEN_FDS`), all or
/// those of a name; `tls+fd:[NAME]`, where TLS is spoken on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Endpoint(Endpoint),
    Inherited { scheme: Scheme, name: Option<String> },
}

impl Place {
    /// How to talk there.
    pub(crate) const fn scheme(&self) -> Scheme {
        match self {
            Self::Endpoint(endpoint) => endpoint.scheme(),
            Self::Inherited { scheme, .. } => *scheme,
        }
    }

    /// The endpoint, where there is one.
    pub(crate) const fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Endpoint(endpoint) => Some(endpoint),
            Self::Inherited { .. } => None,
        }
    }
}

impl FromStr for Place {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, name) = match text.strip_prefix("tls+fd:") {
            Some(name) => (Scheme::Tls, Some(name)),
            None => (Scheme::Tcp, text.strip_prefix("fd:")),
        };
        let Some(name) = name else { return text.parse().map(Self::Endpoint) };
        let name = name.strip_prefix("//").unwrap_or(name);
        let name = (!name.is_empty()).then(|| name.to_owned());
        Ok(Self::Inherited { scheme, name })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => endpoint.fmt(f),
            Self::Inherited { scheme, name } => {
                let tls = if *scheme == Scheme::Tls { "tls+" } else { "" };
                write!(f, "{tls}fd:{}", name.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_told_from_endpoints() {
        let inherited =
            |scheme, name: Option<&str>| Place::Inherited { scheme, name: name.map(str::to_owned) };
        for (text, expected) in [
            ("fd:", inherited(Scheme::Tcp, None)),
            ("fd://", inherited(Scheme::Tcp, None)),
            ("fd:web", inherited(Scheme::Tcp, Some("web"))),
            ("tls+fd:", inherited(Scheme::Tls, None)),
            ("tls+fd://web", inherited(Scheme::Tls, Some("web"))),
            ("[fd::1]:80", Place::Endpoint("tcp://[fd::1]:80".parse().unwrap())),
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), expected, "{text}");
        }
        for text in ["fd:web", "fd:", "tls+fd:web"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
    }
}
