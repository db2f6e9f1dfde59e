//! Addresses of options.

use std::net::IpAddr;

/// An address, not a name.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "not an IP address".to_owned())
}
