//! From an address to a bound socket and its claim, and why that can fail.

use std::io;
use std::net::SocketAddr;

use ports_core::{
    ClaimAddress, ClaimError, ClaimRequest, Owner, PortClaim, PortRegistry, Transport, lacks_zone,
};
use socket2::{Domain, Protocol, Socket, Type};
use sockets_sys::is_privileged_port;

use crate::InterfaceError;
use crate::send::{Family, SendError};

/// How often the kernel is asked for a port while the ports it chooses are claimed, but not yet
/// bound, by another part of the program.
const ADOPT_ATTEMPTS: usize = 16;

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A socket needs a tokio runtime with I/O to live in.
    #[error("cannot open udp {address}: not inside a tokio runtime")]
    NoRuntime {
        /// The address asked for.
        address: SocketAddr,
    },
    /// This program holds the port already, or may not have it.
    #[error("cannot claim the port of udp {address}")]
    Claim {
        /// The address asked for.
        address: SocketAddr,
        /// Who is in the way.
        #[source]
        source: ClaimError,
    },
    /// Another socket, of this process or another one, is bound there.
    #[error("cannot bind udp {address}: the port is in use; take another one, or port 0 for any")]
    AddressInUse {
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel was asked for any port, and has none left for this address.
    #[error(
        "cannot bind udp {address}: no port is free (net.ipv4.ip_local_port_range); free some, or \
         give one"
    )]
    NoFreePort {
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The address is none of this machine's.
    #[error("cannot bind udp {address}: not an address of this machine")]
    AddressNotAvailable {
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The address is of a link, and the link is not said ([`SocketAddrV6::scope_id`]).
    ///
    /// [`SocketAddrV6::scope_id`]: std::net::SocketAddrV6::scope_id
    #[error(
        "cannot bind udp {address}: it is an address of one link; say of which by the index of \
         its interface, as in `[fe80::1%2]:80`"
    )]
    NoZone {
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The port is below the privilege floor (ip(7), `ip_unprivileged_port_start`).
    #[error(
        "cannot bind udp {address}: the port needs privilege; use one from net.ipv4.ip_unprivileged_port_start \
         (1024, unless set) up, or grant CAP_NET_BIND_SERVICE (`setcap cap_net_bind_service=ep \
         PROGRAM`)"
    )]
    Privileged {
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It cannot be connected to its peer: nothing could be sent there.
    #[error(transparent)]
    Connect(SendError),
    /// The interface to send multicast from is not there.
    #[error("cannot send multicast from udp {address}")]
    MulticastInterface {
        /// The address asked for.
        address: SocketAddr,
        /// The interface, and what is wrong with it.
        #[source]
        source: InterfaceError,
    },
    /// The kernel refused a setting.
    #[error("cannot set {option} on udp {address}")]
    Option {
        /// The address asked for.
        address: SocketAddr,
        /// The setting, by the kernel's name, such as `SO_BROADCAST`.
        option: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another step failed.
    #[error("cannot {operation} udp {address}")]
    Io {
        /// The address asked for.
        address: SocketAddr,
        /// The step, such as "bind" or "create a socket for".
        operation: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl BindError {
    fn bind(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse if address.port() == 0 => Self::NoFreePort { address, source },
            io::ErrorKind::AddrInUse => Self::AddressInUse { address, source },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { address, source },
            io::ErrorKind::PermissionDenied if is_privileged_port(address.port()) => {
                Self::Privileged { address, source }
            }
            io::ErrorKind::InvalidInput if lacks_zone(address) => Self::NoZone { address, source },
            _ => Self::Io { address, operation: "bind", source },
        }
    }
}

/// A bound socket, not yet known to tokio, with the claim on its port.
pub(crate) struct BoundSocket {
    pub(crate) socket: Socket,
    pub(crate) claim: Option<PortClaim>,
    pub(crate) local: SocketAddr,
    pub(crate) family: Family,
}

/// Sets what a socket is to be like, before it is bound: from then on it receives.
pub(crate) type Prepare<'a> = &'a dyn Fn(&Socket, Family) -> Result<(), BindError>;

/// Opens a socket at `address`. With a registry an exact port is claimed before it is bound, and
/// a port the kernel chose is adopted after.
pub(crate) fn bind(
    address: SocketAddr,
    registry: Option<(&PortRegistry, Owner)>,
    prepare: Prepare<'_>,
) -> Result<BoundSocket, BindError> {
    let Some((registry, owner)) = registry else {
        return describe(new_socket(address, prepare)?, None, address);
    };
    if address.port() != 0 {
        return bind_claimed(address, registry, owner, prepare);
    }
    // Sockets whose port is claimed elsewhere stay open for the while, so that the kernel chooses
    // another port each time.
    let mut refused = Vec::new();
    loop {
        let mut bound = describe(new_socket(address, prepare)?, None, address)?;
        match adopt(&bound, registry, owner.clone()) {
            Ok(claim) => {
                bound.claim = Some(claim);
                return Ok(bound);
            }
            Err(ClaimError::Held { .. }) if refused.len() + 1 < ADOPT_ATTEMPTS => {
                refused.push(bound);
            }
            Err(source) => return Err(BindError::Claim { address: bound.local, source }),
        }
    }
}

/// Takes over a socket that the caller bound.
pub(crate) fn take_over(
    socket: Socket,
    registry: Option<(&PortRegistry, Owner)>,
) -> Result<BoundSocket, BindError> {
    let mut bound = describe(socket, None, SocketAddr::from(([0, 0, 0, 0], 0)))?;
    if let Some((registry, owner)) = registry {
        let claim = adopt(&bound, registry, owner)
            .map_err(|source| BindError::Claim { address: bound.local, source })?;
        bound.claim = Some(claim);
    }
    Ok(bound)
}

fn bind_claimed(
    address: SocketAddr,
    registry: &PortRegistry,
    owner: Owner,
    prepare: Prepare<'_>,
) -> Result<BoundSocket, BindError> {
    let port = address.port();
    // A mark may be stale: the bind below says what is true now.
    let request = ClaimRequest::new(Transport::Udp)
        .address(address)
        .exact(port)
        .owner(owner)
        .ignore_foreign();
    let claim = registry.claim(&request).map_err(|source| BindError::Claim { address, source })?;
    match new_socket(address, prepare) {
        Ok(socket) => {
            registry.clear_foreign(Transport::Udp, address, port);
            describe(socket, Some(claim), address)
        }
        Err(error) => {
            drop(claim);
            if matches!(error, BindError::AddressInUse { .. }) {
                registry.mark_foreign(Transport::Udp, address, port);
            }
            Err(error)
        }
    }
}

/// Claims the port that `bound` holds already.
fn adopt(
    bound: &BoundSocket,
    registry: &PortRegistry,
    owner: Owner,
) -> Result<PortClaim, ClaimError> {
    let address = if bound.family == Family::V6 && bound.local.ip().is_unspecified() {
        ClaimAddress::ipv6_only()
    } else {
        bound.local.into()
    };
    registry.adopt(Transport::Udp, address, bound.local.port(), owner)
}

fn new_socket(address: SocketAddr, prepare: Prepare<'_>) -> Result<Socket, BindError> {
    let create = |source| BindError::Io { address, operation: "create a socket for", source };
    let option = |option| move |source| BindError::Option { address, option, source };
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
        .map_err(create)?;
    if address.is_ipv6() {
        // Not left to the system's default: `[::]` means both families here, everywhere.
        socket.set_only_v6(false).map_err(option("IPV6_V6ONLY"))?;
    }
    prepare(&socket, family_of(address, false))?;
    socket.bind(&address.into()).map_err(|source| BindError::bind(address, source))?;
    Ok(socket)
}

fn describe(
    socket: Socket,
    claim: Option<PortClaim>,
    asked: SocketAddr,
) -> Result<BoundSocket, BindError> {
    let failed =
        |source| BindError::Io { address: asked, operation: "read the address of", source };
    let local = socket.local_addr().map_err(failed)?.as_socket().ok_or_else(|| {
        failed(io::Error::new(io::ErrorKind::InvalidInput, "not an internet socket"))
    })?;
    let only_v6 = local.is_ipv6() && socket.only_v6().map_err(failed)?;
    Ok(BoundSocket { socket, claim, local, family: family_of(local, only_v6) })
}

fn family_of(address: SocketAddr, only_v6: bool) -> Family {
    match address {
        SocketAddr::V4(_) => Family::V4,
        SocketAddr::V6(v6) => {
            let speaks_v4 = v6.ip().is_unspecified() || v6.ip().to_ipv4_mapped().is_some();
            if speaks_v4 && !only_v6 { Family::DualStack } else { Family::V6 }
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    /// Bound, it would receive at once what it is not yet told to refuse, and cannot yet describe.
    #[test]
    fn a_socket_is_prepared_before_it_is_bound() {
        let registry = PortRegistry::new();
        for (address, family) in
            [("127.0.0.1:0", Family::V4), ("[::1]:0", Family::V6), ("[::]:0", Family::DualStack)]
        {
            for registry in [None, Some((&registry, Owner::from("test")))] {
                let prepared = std::cell::Cell::new(0);
                let bound = bind(address.parse().unwrap(), registry, &|socket, of| {
                    let local = socket.local_addr().unwrap().as_socket().unwrap();
                    assert_eq!((local.port(), of), (0, family));
                    prepared.set(prepared.get() + 1);
                    Ok(())
                })
                .unwrap();
                assert_ne!(bound.local.port(), 0);
                assert_eq!((bound.family, prepared.get()), (family, 1));
            }
        }
    }

    #[test]
    fn the_kernels_refusals_get_names() {
        let address: SocketAddr = "127.0.0.1:53".parse().unwrap();
        for (errno, message) in [
            (
                Errno::EADDRINUSE,
                "cannot bind udp 127.0.0.1:53: the port is in use; take another one, or port 0 for \
                 any",
            ),
            (Errno::EADDRNOTAVAIL, "cannot bind udp 127.0.0.1:53: not an address of this machine"),
            (Errno::EINVAL, "cannot bind udp 127.0.0.1:53"),
        ] {
            let error = BindError::bind(address, errno.into());
            assert_eq!(error.to_string(), message);
            assert!(std::error::Error::source(&error).is_some());
        }
        let error = BindError::bind("[ff02::1]:53".parse().unwrap(), Errno::EINVAL.into());
        assert!(matches!(error, BindError::NoZone { .. }), "{error:?}");
        if is_privileged_port(53) {
            let error = BindError::bind(address, Errno::EACCES.into());
            assert!(matches!(error, BindError::Privileged { .. }));
            assert!(error.to_string().contains("setcap"), "says what to do: {error}");
        }
        for port in [0, 65_535] {
            let address = SocketAddr::new(address.ip(), port);
            let error = BindError::bind(address, Errno::EACCES.into());
            assert!(matches!(error, BindError::Io { operation: "bind", .. }), "{error:?}");
        }
        let any = SocketAddr::new(address.ip(), 0);
        let error = BindError::bind(any, Errno::EADDRINUSE.into());
        assert!(matches!(error, BindError::NoFreePort { .. }), "{error:?}");
    }
}
