//! The local address a claim is for, and which two of them collide.

mod parse;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

pub use parse::ParseClaimAddressError;

use crate::zone::has_link_scope;

/// The local address part of a claim: a wildcard or one address.
///
/// Two claims of one port and transport collide where the sets of addresses they stand for overlap,
/// which is what Linux's `bind` checks when neither `SO_REUSEADDR` nor `SO_REUSEPORT` is set
/// (`inet_rcv_saddr_equal` in `net/ipv4/inet_connection_sock.c`).
///
/// | address | stands for |
/// |---|---|
/// | [`dual_stack`](Self::dual_stack), the default | every IPv4 and every IPv6 address |
/// | [`ipv4_wildcard`](Self::ipv4_wildcard), `0.0.0.0` | every IPv4 address |
/// | [`ipv6_only`](Self::ipv6_only), `::` with `IPV6_V6ONLY` | every IPv6 address |
/// | one address | itself |
///
/// An address comes from `IpAddr`, `SocketAddr` or their halves; the port of a `SocketAddr` is not
/// looked at. `::` becomes the dual-stack wildcard, as a socket without `IPV6_V6ONLY` is. An
/// IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address. The scope (interface
/// index) of a link-local or multicast address is kept where `bind` looks at it, since the same address on two interfaces is two
/// addresses; without a scope it stands for that address on every interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClaimAddress(AddressSet);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
enum AddressSet {
    #[default]
    DualStack,
    Ipv4Wildcard,
    Ipv6Only,
    Ipv4(Ipv4Addr),
    Ipv6 {
        address: Ipv6Addr,
        /// 0: any interface.
        scope: u32,
    },
}

/// Which address families an address takes a port in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
    Both,
}

impl ClaimAddress {
    /// Every IPv4 and every IPv6 address: `::` without `IPV6_V6ONLY`.
    pub const fn dual_stack() -> Self {
        Self(AddressSet::DualStack)
    }

    /// Every IPv4 address: `0.0.0.0`.
    pub const fn ipv4_wildcard() -> Self {
        Self(AddressSet::Ipv4Wildcard)
    }

    /// Every IPv6 address and no IPv4 address: `::` with `IPV6_V6ONLY` (RFC 3493 section 5.3).
    pub const fn ipv6_only() -> Self {
        Self(AddressSet::Ipv6Only)
    }

    /// Whether it stands for more addresses than one.
    pub const fn is_wildcard(self) -> bool {
        matches!(self.0, AddressSet::DualStack | AddressSet::Ipv4Wildcard | AddressSet::Ipv6Only)
    }

    /// The address as `bind` takes it: unspecified for a wildcard, without its scope.
    pub const fn ip(self) -> IpAddr {
        match self.0 {
            AddressSet::DualStack | AddressSet::Ipv6Only => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            AddressSet::Ipv4Wildcard => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            AddressSet::Ipv4(address) => IpAddr::V4(address),
            AddressSet::Ipv6 { address, .. } => IpAddr::V6(address),
        }
    }

    /// Whether an address exists that both stand for: such claims of one port collide.
    pub fn overlaps(self, other: Self) -> bool {
        use AddressSet::{DualStack, Ipv4, Ipv4Wildcard, Ipv6, Ipv6Only};
        match (self.0, other.0) {
            (DualStack, _)
            | (_, DualStack)
            | (Ipv4Wildcard, Ipv4Wildcard | Ipv4(_))
            | (Ipv4(_), Ipv4Wildcard)
            | (Ipv6Only, Ipv6Only | Ipv6 { .. })
            | (Ipv6 { .. }, Ipv6Only) => true,
            (Ipv4(one), Ipv4(two)) => one == two,
            (Ipv6 { address: one, scope: here }, Ipv6 { address: two, scope: there }) => {
                one == two && (here == there || here == 0 || there == 0)
            }
            (Ipv4Wildcard | Ipv4(_), Ipv6Only | Ipv6 { .. })
            | (Ipv6Only | Ipv6 { .. }, Ipv4Wildcard | Ipv4(_)) => false,
        }
    }

    /// Whether it stands for every address that `other` stands for.
    pub fn covers(self, other: Self) -> bool {
        use AddressSet::{DualStack, Ipv4, Ipv4Wildcard, Ipv6, Ipv6Only};
        match (self.0, other.0) {
            (DualStack, _)
            | (Ipv4Wildcard, Ipv4Wildcard | Ipv4(_))
            | (Ipv6Only, Ipv6Only | Ipv6 { .. }) => true,
            (Ipv6 { address: one, scope: 0 }, Ipv6 { address: two, .. }) => one == two,
            (one, two) => one == two,
        }
    }

    pub(super) const fn family(self) -> Family {
        match self.0 {
            AddressSet::DualStack => Family::Both,
            AddressSet::Ipv4Wildcard | AddressSet::Ipv4(_) => Family::Ipv4,
            AddressSet::Ipv6Only | AddressSet::Ipv6 { .. } => Family::Ipv6,
        }
    }

    fn from_ipv6(address: Ipv6Addr, scope: u32) -> Self {
        if let Some(mapped) = address.to_ipv4_mapped() {
            return mapped.into();
        }
        if address.is_unspecified() {
            return Self::dual_stack();
        }
        let scope = if has_link_scope(address) { scope } else { 0 };
        Self(AddressSet::Ipv6 { address, scope })
    }
}
impl From<Ipv4Addr> for ClaimAddress {
    fn from(address: Ipv4Addr) -> Self {
        if address.is_unspecified() {
            Self::ipv4_wildcard()
        } else {
            Self(AddressSet::Ipv4(address))
        }
    }
}

/// `::` is the dual-stack wildcard.
impl From<Ipv6Addr> for ClaimAddress {
    fn from(address: Ipv6Addr) -> Self {
        Self::from_ipv6(address, 0)
    }
}

/// `::` is the dual-stack wildcard.
impl From<IpAddr> for ClaimAddress {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => address.into(),
        }
    }
}

/// The port is not looked at.
impl From<SocketAddrV4> for ClaimAddress {
    fn from(address: SocketAddrV4) -> Self {
        (*address.ip()).into()
    }
}

/// The port is not looked at; `::` is the dual-stack wildcard.
impl From<SocketAddrV6> for ClaimAddress {
    fn from(address: SocketAddrV6) -> Self {
        Self::from_ipv6(*address.ip(), address.scope_id())
    }
}

/// The port is not looked at; `::` is the dual-stack wildcard.
impl From<SocketAddr> for ClaimAddress {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => address.into(),
            SocketAddr::V6(address) => address.into(),
        }
    }
}

/// `*` for dual stack, `0.0.0.0`, `:: (IPv6 only)`, `127.0.0.1`, `fe80::1%2`.
impl fmt::Display for ClaimAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AddressSet::DualStack => f.pad(parse::DUAL_STACK),
            AddressSet::Ipv4Wildcard => f.pad("0.0.0.0"),
            AddressSet::Ipv6Only => f.pad(parse::IPV6_ONLY),
            AddressSet::Ipv4(address) => fmt::Display::fmt(&address, f),
            AddressSet::Ipv6 { address, scope: 0 } => fmt::Display::fmt(&address, f),
            AddressSet::Ipv6 { address, scope } => f.pad(&format!("{address}%{scope}")),
        }
    }
}

#[cfg(test)]
mod tests;
