//! What to scan: the text of one target, and the set of addresses that several make.

mod list;
mod parse;
mod set;
mod text;
mod words;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

pub(crate) use list::ListedName;
pub use list::{ReadTargetsError, TargetList, TooManyTargets};
pub use parse::ParseTargetError;
pub(crate) use set::AddressIndex;
pub use set::{AddressSet, Family};
pub use text::ParseAddressSetError;

/// One target as a user names it.
///
/// | text | means |
/// |---|---|
/// | `192.0.2.7`, `2001:db8::7`, `[::1]` | one address |
/// | `192.0.2.0/24`, `2001:db8::/120` | every address of the prefix |
/// | `192.0.2.1-192.0.2.9` | from the first to the last |
/// | `10.0.0-3.1-254` | IPv4, each octet a number or a range |
/// | anything else | a host name, to be resolved by [`crate::resolve`] |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    text: String,
    kind: TargetKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TargetKind {
    Address(IpAddr),
    Addresses(AddressSet),
    Name,
}

impl TargetSpec {
    /// The text as given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The host name, where the target is one.
    pub fn name(&self) -> Option<&str> {
        matches!(self.kind, TargetKind::Name).then_some(self.text.as_str())
    }

    /// The addresses, where no name is to be resolved.
    ///
    /// Multicast, broadcast and unspecified addresses are left out of prefixes and ranges: they are
    /// scanned only where they are named exactly.
    pub fn addresses(&self) -> Option<AddressSet> {
        match &self.kind {
            TargetKind::Address(address) => Some(AddressSet::from(reached_by(*address))),
            TargetKind::Addresses(set) => Some(set.clone().without_reserved()),
            TargetKind::Name => None,
        }
    }
}

/// The address that a packet to `address` goes to: an IPv4-mapped one is that IPv4 address (RFC 4291
/// section 2.5.5.2), the unspecified one is this machine (connect(2) on Linux).
pub(crate) fn reached_by(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

impl From<IpAddr> for TargetSpec {
    fn from(address: IpAddr) -> Self {
        Self { text: address.to_string(), kind: TargetKind::Address(address) }
    }
}

impl FromStr for TargetSpec {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { text: text.to_owned(), kind: parse::parse(text)? })
    }
}

impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
