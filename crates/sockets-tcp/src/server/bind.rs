//! Opening a listening socket, with its claim in the port registry.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::task::{Context, Poll};

use ports_core::{ClaimAddress, ClaimError, ClaimRequest, PortClaim, PortRegistry, Transport};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::backlog::Backlog;
use super::bind_error::BindError;
use super::listening::{Accepted, Listening};
use crate::options::keep_urgent_in_line;

/// How often the kernel is asked for another port where the one it chose is claimed by a part of
/// this program that has not bound it yet.
const CHOICES: usize = 16;
/// How many who wait on an exclusive listener of the caller's are taken in at its end, at most: its
/// backlog is not known, and systems that are set up for many have one of some ten thousand.
const LONGEST_BACKLOG: i32 = 65_535;

/// Where to listen.
#[derive(Debug)]
pub(super) enum Place {
    Address(SocketAddr),
    /// A socket of the caller's.
    Bound {
        socket: StdListener,
        /// Nobody else holds it.
        is_exclusive: bool,
    },
}

/// How to listen.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) registry: Option<PortRegistry>,
    pub(super) owner: String,
    pub(super) backlog: i32,
    /// `[::]` takes IPv4 too.
    pub(super) dual_stack: bool,
    /// How many sockets listen on each address.
    pub(super) sockets: usize,
}

/// A socket, where it listens, and the claim of its port.
type Bound = (StdListener, SocketAddr, Option<PortClaim>);

/// A listening socket and the claim of its port, which live and die together; several sockets on
/// one address share the claim.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Listening,
    local: SocketAddr,
    /// How many wait on it at most; `None` where they may be another one's to serve.
    backlog: Option<i32>,
    claim: Option<Arc<PortClaim>>,
}

impl Listener {
    /// All the sockets of one place, at least one.
    pub(super) fn open(place: Place, binding: &Binding) -> Result<Vec<Self>, BindError> {
        let (socket, local, claim) = match place {
            Place::Address(address) if address.port() == 0 => Self::bind_any(address, binding)?,
            Place::Address(address) => Self::bind_exact(address, binding)?,
            Place::Bound { socket, is_exclusive } => {
                let local = socket.local_addr().map_err(|source| BindError::Listener { source })?;
                let address = claim_address(&socket, local);
                let claim = adopt(address, local, binding)?.map(Arc::new);
                let backlog = is_exclusive.then_some(LONGEST_BACKLOG);
                return Ok(vec![Self::new(socket, local, claim, backlog)?]);
            }
        };
        let claim = claim.map(Arc::new);
        let backlog = Some(binding.backlog);
        let mut listeners = vec![Self::new(socket, local, claim.clone(), backlog)?];
        while listeners.len() < binding.sockets {
            let (socket, local) = listen(local, binding)?;
            listeners.push(Self::new(socket, local, claim.clone(), backlog)?);
        }
        Ok(listeners)
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        self.socket.poll_accept(context)
    }

    /// Until someone may wait to be accepted.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_ready(context)
    }

    /// Until someone does wait to be accepted.
    pub(super) fn poll_waiting(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_waiting(context)
    }

    /// Claims first, so that two parts of this program never race for one port.
    fn bind_exact(address: SocketAddr, binding: &Binding) -> Result<Bound, BindError> {
        let claim = binding
            .registry
            .as_ref()
            .map(|registry| {
                // A mark may be stale; the bind below finds out.
                let request = ClaimRequest::new(Transport::Tcp)
                    .exact(address.port())
                    .address(binding.claim_address(address))
                    .owner(binding.owner.clone())
                    .ignore_foreign();
                registry.claim(&request).map_err(|source| BindError::Claim { address, source })
            })
            .transpose()?;
        let bound = listen(address, binding);
        if let Some(registry) = &binding.registry {
            let (held, port) = (binding.claim_address(address), address.port());
            match &bound {
                Ok(_) => {
                    registry.clear_foreign(Transport::Tcp, held, port);
                }
                Err(BindError::AddressInUse { .. }) => {
                    registry.mark_foreign(Transport::Tcp, held, port);
                }
                Err(_) => {}
            }
        }
        let (socket, local) = bound?;
        Ok((socket, local, claim))
    }

    /// Binds first: the port is the kernel's choice.
    fn bind_any(address: SocketAddr, binding: &Binding) -> Result<Bound, BindError> {
        // Sockets whose port was refused stay open until the end, so that the kernel does not
        // choose the same port again.
        let mut refused = Vec::new();
        loop {
            let (socket, local) = listen(address, binding)?;
            match adopt(binding.claim_address(local), local, binding) {
                Ok(claim) => return Ok((socket, local, claim)),
                Err(BindError::Claim { source: ClaimError::Held { .. }, .. })
                    if refused.len() < CHOICES =>
                {
                    refused.push(socket);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn new(
        socket: StdListener,
        local: SocketAddr,
        claim: Option<Arc<PortClaim>>,
        backlog: Option<i32>,
    ) -> Result<Self, BindError> {
        let socket = socket
            .set_nonblocking(true)
            // Its connections have it from the first byte.
            .and_then(|()| keep_urgent_in_line(&SockRef::from(&socket)))
            .and_then(|()| Listening::new(socket))
            .map_err(|source| BindError::of_io("listen on", local, source))?;
        Ok(Self { socket, local, backlog, claim })
    }

    /// Those who wait, apart from the poller: the socket is closed behind them. `None` where they
    /// may be another one's to serve: then it is closed already.
    pub(super) fn into_backlog(self) -> Option<Backlog> {
        let length = self.backlog?;
        let length = usize::try_from(length).unwrap_or_default().max(1);
        Some(Backlog::new(self.socket, length, self.claim))
    }
}

impl Binding {
    /// What a socket on this address holds.
    fn claim_address(&self, address: SocketAddr) -> ClaimAddress {
        if address.is_ipv6() && address.ip().is_unspecified() && !self.dual_stack {
            ClaimAddress::ipv6_only()
        } else {
            address.into()
        }
    }
}

fn adopt(
    address: ClaimAddress,
    local: SocketAddr,
    binding: &Binding,
) -> Result<Option<PortClaim>, BindError> {
    let Some(registry) = &binding.registry else { return Ok(None) };
    registry
        .adopt(Transport::Tcp, address, local.port(), binding.owner.clone())
        .map(Some)
        .map_err(|source| BindError::Claim { address: local, source })
}

/// What a listener of the caller's holds: `[::]` without `IPV6_V6ONLY` takes IPv4 too.
fn claim_address(socket: &StdListener, local: SocketAddr) -> ClaimAddress {
    let v6_only = || SockRef::from(socket).only_v6().unwrap_or(false);
    if local.is_ipv6() && local.ip().is_unspecified() && v6_only() {
        ClaimAddress::ipv6_only()
    } else {
        local.into()
    }
}

/// socket, bind, listen. Whether `[::]` takes IPv4 too is said, whatever the system's default is.
fn listen(address: SocketAddr, binding: &Binding) -> Result<(StdListener, SocketAddr), BindError> {
    let failed =
        |operation: &'static str| move |source| BindError::of_io(operation, address, source);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(failed("open a socket for"))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(!binding.dual_stack).map_err(failed("set IPV6_V6ONLY for"))?;
    }
    // On Unix this lets a server restart while connections of its predecessor are in TIME-WAIT; on
    // Windows it would let two servers share a port.
    #[cfg(unix)]
    socket.set_reuse_address(true).map_err(failed("set SO_REUSEADDR for"))?;
    #[cfg(unix)]
    if binding.sockets > 1 {
        socket.set_reuse_port(true).map_err(failed("set SO_REUSEPORT for"))?;
    }
    socket.bind(&address.into()).map_err(|source| BindError::of_bind(address, source))?;
    socket.listen(binding.backlog).map_err(failed("listen on"))?;
    let socket = StdListener::from(socket);
    let local = socket.local_addr().map_err(failed("read the address of"))?;
    Ok((socket, local))
}
