//! Addresses of options.

use std::net::IpAddr;
#[cfg(target_os = "linux")]
use std::net::Ipv6Addr;

#[cfg(target_os = "linux")]
use ports_core::Host;

/// An address, not a name.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "not an IP address".to_owned())
}

/// An address, or an IPv6 address with its zone (RFC 4007 section 11).
#[cfg(target_os = "linux")]
pub(super) fn zoned_address(text: &str) -> Result<Host, String> {
    if let Ok(address) = address(text) {
        return Ok(Host::Address(address));
    }
    match text.split_once('%').map(|(address, zone)| (address.parse::<Ipv6Addr>(), zone)) {
        Some((Ok(address), zone)) if !zone.is_empty() => {
            Ok(Host::Zoned { address, zone: zone.to_owned() })
        }
        _ => Err("not an IP address".to_owned()),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_have_a_zone() {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        assert_eq!(zoned_address("fe80::1"), Ok(Host::Address(ip.into())));
        let zoned = Host::Zoned { address: ip, zone: "eth0".to_owned() };
        assert_eq!(zoned_address("fe80::1%eth0"), Ok(zoned));
        for text in ["fe80::1%", "127.0.0.1%eth0", "localhost", ""] {
            assert!(zoned_address(text).is_err(), "{text}");
        }
    }
}
