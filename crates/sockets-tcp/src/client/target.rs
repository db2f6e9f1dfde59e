//! Whom a client connects to: an address, or a name that is looked up at each try.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use ports_core::Endpoint;

/// Whom a client connects to. A name is looked up at each try, and its addresses are tried in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    place: Place,
    source: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Address(SocketAddr),
    Name(String, u16),
    /// What should be `host:port`, as given.
    Text(String),
}

impl Target {
    /// The addresses it stands for now.
    pub(super) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.place {
            Place::Address(address) => Ok(vec![*address]),
            Place::Name(host, port) => {
                Ok(tokio::net::lookup_host((host.as_str(), *port)).await?.collect())
            }
            Place::Text(text) => Ok(tokio::net::lookup_host(text).await?.collect()),
        }
    }

    /// The source address that came with it.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.source
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Address(address) => fmt::Display::fmt(address, f),
            Place::Name(host, port) => write!(f, "{host}:{port}"),
            Place::Text(text) => f.write_str(text),
        }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { place: Place::Address(address), source: None }
    }
}

/// `host:port`; checked when it is first looked up.
impl From<&str> for Target {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// `host:port`; checked when it is first looked up.
impl From<String> for Target {
    fn from(text: String) -> Self {
        let place = match text.parse() {
            Ok(address) => Place::Address(address),
            Err(_) => Place::Text(text),
        };
        Self { place, source: None }
    }
}

impl From<(&str, u16)> for Target {
    fn from((host, port): (&str, u16)) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::from(SocketAddr::new(address, port)),
            Err(_) => Self { place: Place::Name(host.to_owned(), port), source: None },
        }
    }
}

/// Its host, port and source address. The scheme is the caller's affair.
impl From<&Endpoint> for Target {
    fn from(endpoint: &Endpoint) -> Self {
        let port = endpoint.port().number();
        let place = match (endpoint.socket_addr(), endpoint.host().name_to_resolve()) {
            (Some(address), _) => Place::Address(address),
            (None, Some(name)) => Place::Name(name.into_owned(), port),
            (None, None) => Place::Text(endpoint.to_string()),
        };
        Self { place, source: endpoint.options().source() }
    }
}

/// Its host, port and source address. The scheme is the caller's affair.
impl From<Endpoint> for Target {
    fn from(endpoint: Endpoint) -> Self {
        Self::from(&endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_need_no_lookup() {
        let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let endpoint: Endpoint = "tcp://127.0.0.1:80?source=127.0.0.2".parse().unwrap();
        for target in [
            Target::from(address),
            Target::from("127.0.0.1:80"),
            Target::from(("127.0.0.1", 80)),
            Target::from(&endpoint),
        ] {
            assert_eq!(target.to_string(), "127.0.0.1:80");
            assert_eq!(target.resolve().await.unwrap(), [address]);
        }
        assert_eq!(Target::from(endpoint).source(), Some("127.0.0.2".parse().unwrap()));
        let endpoint: Endpoint = "tcp://example.test:80".parse().unwrap();
        assert_eq!(Target::from(endpoint).to_string(), "example.test:80");
    }
}
