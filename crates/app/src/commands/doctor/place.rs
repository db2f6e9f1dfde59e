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

/// Where a socket is, and the interface that it is bound to: `[fe80::1%eth0]:80`, `0.0.0.0:80 on eth0`.
pub(super) fn socket_place(local: SocketAddr, interface: Option<u32>) -> String {
    match (local, interface) {
        (local, None) => place(local),
        (SocketAddr::V6(mut zoned), Some(index)) if zoned.ip().is_unicast_link_local() => {
            zoned.set_scope_id(index);
            place(zoned.into())
        }
        (local, Some(index)) => match Interface::by_index(index) {
            Ok(Interface { name, .. }) => format!("{local} on {name}"),
            Err(error) => {
                tracing::debug!(%error, "the interface has no name");
                format!("{local} on interface {index}")
            }
        },
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

    #[test]
    fn a_socket_bound_to_an_interface_is_told_with_it() {
        for (local, interface, told) in [
            ("[fe80::1]:80", Some(1), "[fe80::1%lo]:80"),
            ("0.0.0.0:80", Some(1), "0.0.0.0:80 on lo"),
            ("[::]:80", Some(u32::MAX), "[::]:80 on interface 4294967295"),
            ("0.0.0.0:80", None, "0.0.0.0:80"),
        ] {
            assert_eq!(socket_place(local.parse().unwrap(), interface), told);
        }
    }
}
