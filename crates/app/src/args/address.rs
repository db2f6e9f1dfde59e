//! An address of this machine, with its interface where it needs one.

use std::net::{IpAddr, Ipv6Addr};

use ports_core::Host;

/// An address, or an IPv6 address with its zone (RFC 4007 section 11).
pub(super) fn address(text: &str) -> Result<Host, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Host::Address(address));
    }
    match text.split_once('%').map(|(address, zone)| (address.parse::<Ipv6Addr>(), zone)) {
        Some((Ok(address), zone)) if !zone.is_empty() => {
            Ok(Host::Zoned { address, zone: zone.to_owned() })
        }
        _ => Err("not an IP address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_have_a_zone() {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        assert_eq!(address("fe80::1"), Ok(Host::Address(ip.into())));
        let zoned = Host::Zoned { address: ip, zone: "eth0".to_owned() };
        assert_eq!(address("fe80::1%eth0"), Ok(zoned));
        for text in ["fe80::1%", "127.0.0.1%eth0", "localhost", ""] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
