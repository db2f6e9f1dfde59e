//! An address as people know it: with the name of its interface.

use std::net::SocketAddr;

use sockets_raw::Interface;

/// `[fe80::1%eth0]:80` (RFC 4007 section 11); with the interface's number where it has no name that is
/// to be known.
pub(super) fn place(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(zoned) if zoned.scope_id() != 0 => {
            match Interface::by_index(zoned.scope_id()) {
                Ok(Interface { name, .. }) => format!("[{}%{name}]:{}", zoned.ip(), zoned.port()),
                Err(error) => {
                    tracing::debug!(%error, "the interface has no name");
                    address.to_string()
                }
            }
        }
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_have_names() {
        for (address, told) in [
            ("[fe80::1%1]:80", "[fe80::1%lo]:80"),
            ("[fe80::1%4294967295]:80", "[fe80::1%4294967295]:80"),
            ("[fe80::1]:80", "[fe80::1]:80"),
            ("127.0.0.1:80", "127.0.0.1:80"),
        ] {
            assert_eq!(place(address.parse().unwrap()), told);
        }
    }
}
