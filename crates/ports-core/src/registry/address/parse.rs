//! A claim's address as text: read, and as serde has it.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::ClaimAddress;

/// What [`ClaimAddress`] prints for [`ipv6_only`](ClaimAddress::ipv6_only).
pub(super) const IPV6_ONLY: &str = ":: (IPv6 only)";
/// What it prints for [`dual_stack`](ClaimAddress::dual_stack).
pub(super) const DUAL_STACK: &str = "*";

/// Why a text is no address to claim a port at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address to claim: `*`, an IP address or ADDRESS%INTERFACE-INDEX is wanted")]
pub struct ParseClaimAddressError {
    text: String,
}

impl ParseClaimAddressError {
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What it prints, and every IP address; `::` is dual stack.
impl FromStr for ClaimAddress {
    type Err = ParseClaimAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text {
            DUAL_STACK => Some(Self::dual_stack()),
            IPV6_ONLY => Some(Self::ipv6_only()),
            _ => text.parse::<IpAddr>().ok().map(Self::from).or_else(|| scoped(text)),
        };
        parsed.ok_or_else(|| ParseClaimAddressError { text: text.to_owned() })
    }
}

fn scoped(text: &str) -> Option<ClaimAddress> {
    let (address, scope) = text.split_once('%')?;
    let (address, scope): (Ipv6Addr, u32) = (address.parse().ok()?, scope.parse().ok()?);
    Some(SocketAddrV6::new(address, 0, 0, scope).into())
}

/// As the text that `Display` prints.
impl Serialize for ClaimAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClaimAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for text in ["*", "0.0.0.0", ":: (IPv6 only)", "127.0.0.1", "::1", "fe80::1%2", "fe80::1"] {
            let address: ClaimAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            let json = serde_json::to_string(&address).unwrap();
            assert_eq!(serde_json::from_str::<ClaimAddress>(&json).unwrap(), address);
        }
        assert_eq!("::".parse(), Ok(ClaimAddress::dual_stack()));
    }

    #[test]
    fn what_is_no_address_is_named() {
        for text in ["", "localhost", "127.0.0.1%2", "fe80::1%eth0", "[::1]"] {
            let error = text.parse::<ClaimAddress>().unwrap_err();
            assert_eq!(error.text(), text);
            assert!(error.to_string().starts_with(&format!("`{text}` is no address")), "{error}");
        }
    }
}
