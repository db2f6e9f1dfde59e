//! Whom a client connects to: addresses, or a name that is looked up at each try.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use ports_core::Endpoint;

/// Whom a client connects to: an address, several that stand for one server, or a name, which is
/// looked up at each try.
///
/// Several addresses race (happy eyeballs, RFC 8305): they are tried in their order, families in
/// turn; the next one begins a short delay after the last, or as soon as that one fails, and the
/// first that connects wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    place: Place,
    source: Option<IpAddr>,
    interface: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Address(SocketAddr),
    Addresses(Vec<SocketAddr>),
    Name(String, u16),
    /// What should be `host:port`, as given.
    Text(String),
}

impl Target {
    /// The addresses it stands for now.
    pub(super) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.place {
            Place::Address(address) => Ok(vec![*address]),
            Place::Addresses(addresses) => Ok(addresses.clone()),
            Place::Name(host, port) => {
                Ok(tokio::net::lookup_host((host.as_str(), *port)).await?.collect())
            }
            Place::Text(text) => Ok(tokio::net::lookup_host(text).await?.collect()),
        }
    }

    /// The interface that came with it.
    pub(super) fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
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
            Place::Addresses(addresses) => {
                for (place, address) in addresses.iter().enumerate() {
                    write!(f, "{}{address}", if place == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Place::Name(host, port) => write!(f, "{host}:{port}"),
            Place::Text(text) => f.write_str(text),
        }
    }
}

impl From<Place> for Target {
    fn from(place: Place) -> Self {
        Self { place, source: None, interface: None }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Place::Address(address).into()
    }
}

/// Addresses of one server, the preferred one first.
impl From<Vec<SocketAddr>> for Target {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Place::Addresses(addresses).into()
    }
}

/// Addresses of one server, the preferred one first.
impl From<&[SocketAddr]> for Target {
    fn from(addresses: &[SocketAddr]) -> Self {
        addresses.to_vec().into()
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
        match text.parse() {
            Ok(address) => Place::Address(address).into(),
            Err(_) => Place::Text(text).into(),
        }
    }
}

impl From<(&str, u16)> for Target {
    fn from((host, port): (&str, u16)) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::from(SocketAddr::new(address, port)),
            Err(_) => Place::Name(host.to_owned(), port).into(),
        }
    }
}

/// Its host, port, source address and interface. The scheme is the caller's affair.
impl From<&Endpoint> for Target {
    fn from(endpoint: &Endpoint) -> Self {
        let port = endpoint.port().number();
        let place = match (endpoint.socket_addr(), endpoint.host().name_to_resolve()) {
            (Some(address), _) => Place::Address(address),
            (None, Some(name)) => Place::Name(name.into_owned(), port),
            (None, None) => Place::Text(endpoint.to_string()),
        };
        let options = endpoint.options();
        let interface = options.interface().map(str::to_owned);
        Self { place, source: options.source(), interface }
    }
}

/// Its host, port, source address and interface. The scheme is the caller's affair.
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
        let endpoint: Endpoint = "tcp://127.0.0.1:80?iface=lo".parse().unwrap();
        assert_eq!(Target::from(endpoint).interface(), Some("lo"));
        let several = Target::from(vec![address, "[::1]:80".parse().unwrap()]);
        assert_eq!(several.to_string(), "127.0.0.1:80,[::1]:80");
        assert_eq!(several.resolve().await.unwrap().len(), 2);
        let endpoint: Endpoint = "tcp://example.test:80".parse().unwrap();
        assert_eq!(Target::from(endpoint).to_string(), "example.test:80");
    }
}
