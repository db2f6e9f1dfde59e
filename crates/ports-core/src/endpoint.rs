//! Where to listen or connect, as text: `tcp://[::1]:8080`.

mod error;
mod host;
mod options;
mod parse;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::error::{ParseEndpointError, ParseEndpointErrorKind};
pub use self::host::Host;
pub use self::options::EndpointOptions;
use crate::{Port, Transport};

/// How to talk at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Scheme {
    /// Plain TCP: what an endpoint without a scheme means.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// TLS over TCP.
    Tls,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Tls];

    /// The transport below it.
    pub const fn transport(self) -> Transport {
        match self {
            Self::Tcp | Self::Tls => Transport::Tcp,
            Self::Udp => Transport::Udp,
        }
    }

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Tls => "tls",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An end of communication to listen at or to connect to: `[SCHEME://]HOST:PORT[?OPTIONS]`.
///
/// - SCHEME is `tcp`, `udp` or `tls`; without it, TCP. Behind a scheme, PORT may be followed by the
///   `/` of a URL without a path.
/// - HOST is a name, an IPv4 address, or an IPv6 address in brackets, there with a zone where it
///   needs one (`[fe80::1%eth0]`, RFC 4007 section 11). Empty or `*`, it means every address of
///   this machine, IPv4 and IPv6; to connect to, its loopback addresses.
/// - PORT is a number, or the name of a service that has one port: `tcp://localhost:http`.
/// - OPTIONS are `iface`, `ttl` and `source`, with `&` between them: see [`EndpointOptions`].
///
/// ```
/// use ports_core::{Endpoint, Host, Port, Scheme};
///
/// let endpoint: Endpoint = "localhost:https".parse()?;
/// assert_eq!(endpoint.scheme(), Scheme::Tcp);
/// assert_eq!(endpoint.host(), &Host::Name("localhost".to_owned()));
/// assert_eq!(endpoint.port(), Port::new(443));
/// assert_eq!(endpoint.to_string(), "tcp://localhost:443");
///
/// let group: Endpoint = "udp://239.1.2.3:5000?iface=lo&ttl=0".parse()?;
/// assert_eq!(group.socket_addr(), "239.1.2.3:5000".parse().ok());
/// assert_eq!(group.options().ttl(), Some(0));
/// # Ok::<(), ports_core::ParseEndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    host: Host,
    port: Port,
    options: EndpointOptions,
}

impl Endpoint {
    /// The endpoint at a host and port, without options.
    pub fn new(scheme: Scheme, host: Host, port: Port) -> Self {
        Self { scheme, host, port, options: EndpointOptions::new() }
    }

    /// The same endpoint with these options instead of its own.
    #[must_use]
    pub fn with_options(self, options: EndpointOptions) -> Self {
        Self { options, ..self }
    }

    /// The same endpoint at another port: the one the kernel chose, for one with port 0.
    #[must_use]
    pub fn with_port(self, port: Port) -> Self {
        Self { port, ..self }
    }

    /// How to talk.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The transport of its scheme.
    pub const fn transport(&self) -> Transport {
        self.scheme.transport()
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port; 0 where the kernel is to choose.
    pub const fn port(&self) -> Port {
        self.port
    }

    /// The options.
    pub const fn options(&self) -> &EndpointOptions {
        &self.options
    }

    /// The address, where no name has to be resolved for it: neither the host's nor, in a zone
    /// such as `%eth0`, an interface's. Otherwise [`Host::name_to_resolve`] has the name.
    ///
    /// [`Host::Any`] is `[::]`: a listener is to bind it dual-stack, or `0.0.0.0` where the machine
    /// has no IPv6.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let port = self.port.number();
        match &self.host {
            Host::Any => Some((Ipv6Addr::UNSPECIFIED, port).into()),
            Host::Address(address) => Some((*address, port).into()),
            Host::Zoned { address, zone } => {
                let scope = host::zone_index(zone)?;
                Some(SocketAddrV6::new(*address, port, 0, scope).into())
            }
            Host::Name(_) => None,
        }
    }

    /// The addresses to connect to, in the order to try them, where no name has to be resolved for
    /// them; else none.
    ///
    /// It is the one of [`socket_addr`](Self::socket_addr), but for [`Host::Any`]: nobody can be
    /// asked at every address, and this machine is asked at `[::1]`, then at `127.0.0.1`.
    ///
    /// ```
    /// use ports_core::Endpoint;
    ///
    /// let endpoint: Endpoint = ":8080".parse()?;
    /// let addresses: Vec<_> = endpoint.target_addrs().collect();
    /// assert_eq!(addresses, ["[::1]:8080".parse().unwrap(), "127.0.0.1:8080".parse().unwrap()]);
    /// # Ok::<(), ports_core::ParseEndpointError>(())
    /// ```
    pub fn target_addrs(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        let port = self.port.number();
        let (first, second) = match &self.host {
            Host::Any => (
                Some(SocketAddr::from((Ipv6Addr::LOCALHOST, port))),
                Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            ),
            _ => (self.socket_addr(), None),
        };
        first.into_iter().chain(second)
    }
}

/// An IPv6 scope becomes a numeric zone; the flow label is not kept.
impl From<(Scheme, SocketAddr)> for Endpoint {
    fn from((scheme, address): (Scheme, SocketAddr)) -> Self {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                Host::Zoned { address: *v6.ip(), zone: v6.scope_id().to_string() }
            }
            _ => Host::Address(address.ip()),
        };
        Self::new(scheme, host, Port::new(address.port()))
    }
}

/// `tcp://[::1]:8080`, `udp://239.1.2.3:5000?iface=lo&ttl=1`: always with its scheme, the port as a
/// number.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}{}", self.scheme, self.host, self.port, self.options)
    }
}

/// As its text.
impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its text.
impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
