//! The host of an endpoint.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::ParseEndpointErrorKind;

/// Longest host name (RFC 1035 section 2.3.4: 255 bytes on the wire).
const LONGEST_NAME: usize = 253;
/// Longest label of a host name (RFC 1035 section 2.3.4).
const LONGEST_LABEL: usize = 63;
/// Longest zone taken; Linux names interfaces with 15 bytes, and gives them other names of 127.
const LONGEST_ZONE: usize = 127;

/// The host of an [`Endpoint`](crate::Endpoint).
///
/// Printed as an endpoint has it: `*`, `127.0.0.1`, `[::1]`, `[fe80::1%eth0]`, `localhost`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Every address of this machine, IPv4 and IPv6.
    Any,
    /// An address.
    Address(IpAddr),
    /// An IPv6 address and the zone it is meant in (RFC 4007 section 6).
    Zoned {
        /// The address.
        address: Ipv6Addr,
        /// The zone: an interface's name, or its index in decimal digits.
        zone: String,
    },
    /// A name to be resolved.
    Name(String),
}

impl Host {
    /// What to hand to the system's resolver, if an address is still to be found: a host's name,
    /// or an address with its zone (`fe80::1%eth0`, which `getaddrinfo` understands). `None`
    /// exactly where [`Endpoint::socket_addr`](crate::Endpoint::socket_addr) knows the address.
    pub fn name_to_resolve(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Any | Self::Address(_) => None,
            Self::Zoned { address, zone } => {
                zone_index(zone).is_none().then(|| format!("{address}%{zone}").into())
            }
            Self::Name(name) => Some(name.as_str().into()),
        }
    }

    /// Reads the part before the port.
    pub(super) fn parse(text: &str) -> Result<Self, ParseEndpointErrorKind> {
        if text.is_empty() || text == "*" {
            return Ok(Self::Any);
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return parse_brackets(inner);
        }
        if text.contains(':') {
            return Err(ParseEndpointErrorKind::NoBrackets { host: text.to_owned() });
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        if is_name(text) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(ParseEndpointErrorKind::Host { host: text.to_owned() })
        }
    }
}

/// An IPv6 address, perhaps with a zone.
fn parse_brackets(text: &str) -> Result<Host, ParseEndpointErrorKind> {
    let bad = || ParseEndpointErrorKind::Host { host: format!("[{text}]") };
    match text.split_once('%') {
        None => text.parse().map(Host::Address).ok().filter(is_v6).ok_or_else(bad),
        Some((address, zone)) => match address.parse() {
            Ok(address) if is_zone(zone) => Ok(Host::Zoned { address, zone: zone.to_owned() }),
            _ => Err(bad()),
        },
    }
}

fn is_v6(host: &Host) -> bool {
    matches!(host, Host::Address(IpAddr::V6(_)))
}

/// The index of a zone that is a number and not 0, which would mean no zone.
pub(super) fn zone_index(zone: &str) -> Option<u32> {
    let digits = zone.bytes().all(|byte| byte.is_ascii_digit());
    zone.parse().ok().filter(|index| digits && *index != 0)
}

fn is_zone(zone: &str) -> bool {
    (1..=LONGEST_ZONE).contains(&zone.len())
        && !zone.contains(|c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '/' | '%' | '[' | ']' | '?' | ':')
        })
}

/// Letters, digits, `-` and `_` in labels (RFC 1123 section 2.1; `_` because it is in use). A name
/// whose last label is a number would be a misspelt address.
fn is_name(text: &str) -> bool {
    let absolute = text.strip_suffix('.').unwrap_or(text);
    absolute.len() <= LONGEST_NAME
        && absolute.split('.').all(|label| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
        && !absolute.rsplit('.').next().unwrap_or_default().bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Zoned { address, zone } => write!(f, "[{address}%{zone}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
