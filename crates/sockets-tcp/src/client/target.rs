//! Whom a client connects to: addresses, or a name that is looked up at each try.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ports_core::Endpoint;

/// Whom a client connects to: an address, several that stand for one server, or a name, which is
/// looked up at each try.
///
/// Several addresses race (happy eyeballs, RFC 8305): they are tried in their order, families in
/// turn; the next one begins a short delay after the last, or as soon as that one fails, and the
/// first that connects wins.
///
/// Text is `HOST:PORT`: a name, an IPv4 address or an IPv6 address in brackets, and a port number.
/// Text of a user's is best parsed, so that he is told at once:
///
/// ```
/// use sockets_tcp::Target;
///
/// let target: Target = "localhost:8080".parse().unwrap();
/// assert_eq!(target.to_string(), "localhost:8080");
/// let error = "localhost".parse::<Target>().unwrap_err();
/// assert_eq!(error.to_string(), "`localhost` is no target: no port, HOST:PORT is wanted");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    place: Place,
    /// Apart, as few have any: errors carry targets.
    origin: Option<Box<Origin>>,
}

/// Where to connect from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    source: Option<IpAddr>,
    interface: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Address(SocketAddr),
    Addresses(Vec<SocketAddr>),
    Name(String, u16),
    /// What should have been `host:port`: it stands for nobody.
    Malformed(Box<TargetError>),
}

/// Why a text names nobody to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// There is no port at its end.
    #[error("`{text}` is no target: no port, HOST:PORT is wanted")]
    NoPort {
        /// The text.
        text: String,
    },
    /// What stands behind the last `:` is no port number.
    #[error("`{text}` is no target: `{port}` is no port number")]
    Port {
        /// The text.
        text: String,
        /// The part that should be a number from 0 to 65,535.
        port: String,
    },
    /// What stands before it is neither a name nor an address: empty, with white space, or an IPv6
    /// address without brackets or of a wrong form.
    #[error("`{text}` is no target: `{host}` is neither a name nor an address (IPv6: [ADDRESS])")]
    Host {
        /// The text.
        text: String,
        /// The part that should be one.
        host: String,
    },
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
            Place::Malformed(error) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, (**error).clone()))
            }
        }
    }

    /// The interface that came with it.
    pub(super) fn interface(&self) -> Option<&str> {
        self.origin.as_ref()?.interface.as_deref()
    }

    /// The source address that came with it.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.origin.as_ref()?.source
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
            Place::Name(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Name(host, port) => write!(f, "{host}:{port}"),
            Place::Malformed(error) => f.write_str(error.text()),
        }
    }
}

impl From<Place> for Target {
    fn from(place: Place) -> Self {
        Self { place, origin: None }
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

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Ok(address) = text.parse() {
            return Ok(Place::Address(address).into());
        }
        let all = || text.to_owned();
        let (host, port) =
            text.rsplit_once(':').ok_or_else(|| TargetError::NoPort { text: all() })?;
        // An address with a zone, which the resolver knows what to do with (RFC 4007 section 11).
        let zoned = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let zoned = zoned.filter(|host| host.contains(':') && host.contains('%'));
        let host = zoned.unwrap_or(host);
        let is_host = zoned.is_some()
            || !host.is_empty()
                && !host.contains(|c: char| c == ':' || c.is_whitespace() || c == '\0');
        if !is_host {
            return Err(TargetError::Host { text: all(), host: host.to_owned() });
        }
        // `u16` would take a sign, too.
        let number = port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
        let number =
            number.ok_or_else(|| TargetError::Port { text: all(), port: port.to_owned() })?;
        Ok(Place::Name(host.to_owned(), number).into())
    }
}

impl TargetError {
    fn text(&self) -> &str {
        match self {
            Self::NoPort { text } | Self::Port { text, .. } | Self::Host { text, .. } => text,
        }
    }
}

/// `HOST:PORT`. What is none names nobody: every try to connect to it fails at once, for good
/// ([`ConnectError::is_permanent`](crate::ConnectError::is_permanent)), and says why.
impl From<&str> for Target {
    fn from(text: &str) -> Self {
        text.parse().unwrap_or_else(|error| Place::Malformed(Box::new(error)).into())
    }
}

/// As from `&str`.
impl From<String> for Target {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
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

/// Its host, port, source address and interface; where its host is every address, the loopback ones
/// ([`Endpoint::target_addrs`]). The scheme is the caller's affair.
impl From<&Endpoint> for Target {
    fn from(endpoint: &Endpoint) -> Self {
        let port = endpoint.port().number();
        let addresses: Vec<SocketAddr> = endpoint.target_addrs().collect();
        let place = match (&*addresses, endpoint.host().name_to_resolve()) {
            ([address], _) => Place::Address(*address),
            ([_, ..], _) => Place::Addresses(addresses),
            ([], Some(name)) => Place::Name(name.into_owned(), port),
            // An endpoint without an address has a name; without either it would name nobody.
            ([], None) => Place::Malformed(Box::new(TargetError::Host {
                text: endpoint.to_string(),
                host: endpoint.host().to_string(),
            })),
        };
        let options = endpoint.options();
        let (source, interface) = (options.source(), options.interface().map(str::to_owned));
        let is_said = source.is_some() || interface.is_some();
        Self { place, origin: is_said.then(|| Box::new(Origin { source, interface })) }
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
        let endpoint: Endpoint = ":80".parse().unwrap();
        assert_eq!(Target::from(endpoint).to_string(), "[::1]:80,127.0.0.1:80");
        let endpoint: Endpoint = "tcp://example.test:80".parse().unwrap();
        assert_eq!(Target::from(endpoint).to_string(), "example.test:80");
    }

    #[test]
    fn text_that_names_nobody_is_told_at_once() {
        let error = |text: &str| text.parse::<Target>().unwrap_err();
        for text in ["", "localhost", "127.0.0.1"] {
            assert_eq!(error(text), TargetError::NoPort { text: text.to_owned() });
        }
        for text in ["::1:80", ":80", "[::1:80", "two words:80", "a\0b:80", "fe80::1"] {
            assert!(matches!(error(text), TargetError::Host { .. }), "{text}");
        }
        for text in ["localhost:", "localhost:http", "localhost:65536", "localhost:+80", "a:-1"] {
            assert!(matches!(error(text), TargetError::Port { .. }), "{text}");
        }
        for text in
            ["localhost:80", "127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80", "host.example:0"]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }

    #[tokio::test]
    async fn what_names_nobody_is_not_looked_up() {
        let target = Target::from("localhost");
        assert_eq!(target.to_string(), "localhost");
        assert_eq!(target.resolve().await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
