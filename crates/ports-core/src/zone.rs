//! Addresses that mean another host, or group, on each link: they need a zone (RFC 4007).

use std::net::{Ipv6Addr, SocketAddr};

/// Whether `bind` looks at the scope: link-local unicast (`fe80::/10`), interface-local and
/// link-local multicast (`ffx1::/16`, `ffx2::/16`). Linux ignores it elsewhere (`__inet6_bind` in
/// `net/ipv6/af_inet6.c`).
pub(crate) const fn has_link_scope(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local() || matches!(address.segments()[0] & 0xff0f, 0xff01 | 0xff02)
}

/// Whether an address means another host, or group, on each link, and does not say on which: a
/// link-local one of IPv6 (`fe80::/10`), or a group of a link or an interface (`ff02::1`), without
/// a zone. The kernel refuses to bind or connect to it.
///
/// ```
/// use ports_core::lacks_zone;
///
/// assert!(lacks_zone("[fe80::1]:80".parse()?));
/// assert!(!lacks_zone("[fe80::1%2]:80".parse()?));
/// assert!(!lacks_zone("[2001:db8::1]:80".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub const fn lacks_zone(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(_) => false,
        SocketAddr::V6(address) => address.scope_id() == 0 && has_link_scope(*address.ip()),
    }
}
