//! Why a server cannot listen.

use std::io;
use std::net::SocketAddr;

use ports_core::{ClaimError, lacks_zone};
#[cfg(target_os = "linux")]
use sockets_sys::is_privileged_port;

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Neither an address nor a listener was given.
    #[error("no address to listen on: give one to `bind`, or a bound socket to `listener`")]
    NoAddress,
    /// Another socket listens there.
    #[error(
        "cannot listen on tcp {address}: the port is in use; take another one, or port 0 for any"
    )]
    AddressInUse {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel was asked for any port, and has none left for this address.
    #[error(
        "cannot listen on tcp {address}: no port is free (net.ipv4.ip_local_port_range); free some, \
         or give one"
    )]
    NoFreePort {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The port is reserved to privileged programs (ip(7), `ip_unprivileged_port_start`).
    #[error(
        "cannot listen on tcp {address}: the port needs privilege; use one from net.ipv4.ip_unprivileged_port_start \
         (1024, unless set) up, or grant CAP_NET_BIND_SERVICE (`setcap cap_net_bind_service=ep \
         PROGRAM`)"
    )]
    Privileged {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The address is none of this machine's.
    #[error("cannot listen on tcp {address}: this machine does not have the address")]
    AddressNotAvailable {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The address is of a link, and the link is not said ([`SocketAddrV6::scope_id`]).
    ///
    /// [`SocketAddrV6::scope_id`]: std::net::SocketAddrV6::scope_id
    #[error(
        "cannot listen on tcp {address}: it is an address of one link; say of which by the index of \
         its interface, as in `[fe80::1%2]:80`"
    )]
    NoZone {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The port registry does not give the port.
    #[error("cannot claim tcp {address}")]
    Claim {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: ClaimError,
    },
    /// Another operation on the socket failed.
    #[error("cannot {operation} tcp {address}")]
    Io {
        /// What was done.
        operation: &'static str,
        /// The address it was for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The listener that was given has no address.
    #[error("cannot use the given listener")]
    Listener {
        /// What the kernel said.
        source: io::Error,
    },
}

impl BindError {
    pub(super) fn of_io(operation: &'static str, address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse if address.port() == 0 => Self::NoFreePort { address, source },
            io::ErrorKind::AddrInUse => Self::AddressInUse { address, source },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { address, source },
            io::ErrorKind::InvalidInput if lacks_zone(address) => Self::NoZone { address, source },
            _ => Self::Io { operation, address, source },
        }
    }

    /// Of `bind` itself: elsewhere a lack of permission is none of the port's.
    pub(super) fn of_bind(address: SocketAddr, source: io::Error) -> Self {
        let refused = source.kind() == io::ErrorKind::PermissionDenied;
        if refused && is_privileged_port(address.port()) {
            return Self::Privileged { address, source };
        }
        Self::of_io("bind", address, source)
    }
}

#[cfg(not(target_os = "linux"))]
fn is_privileged_port(port: u16) -> bool {
    (1..1024).contains(&port)
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_refusal_is_the_ports_only_where_it_can_be() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let high = SocketAddr::from(([127, 0, 0, 1], 65_535));
        for address in [any, high] {
            let error = BindError::of_bind(address, Errno::ACCESS.into());
            assert!(matches!(error, BindError::Io { operation: "bind", .. }), "{error:?}");
        }
        let error = BindError::of_io("open a socket for", high, Errno::PERM.into());
        assert!(matches!(error, BindError::Io { .. }), "{error:?}");
        let error = BindError::of_bind(any, Errno::ADDRINUSE.into());
        assert!(matches!(error, BindError::NoFreePort { .. }), "{error:?}");
        let error = BindError::of_bind("[fe80::1]:80".parse().unwrap(), Errno::INVAL.into());
        assert!(matches!(error, BindError::NoZone { .. }), "{error:?}");
        let error = BindError::of_bind(high, Errno::ADDRINUSE.into());
        assert!(matches!(error, BindError::AddressInUse { .. }), "{error:?}");
    }
}
