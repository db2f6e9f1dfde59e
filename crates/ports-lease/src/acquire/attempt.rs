//! One try at one run of ports: all of it is taken, or nothing.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use ports_core::{ClaimError, ClaimRequest, Owner, Port, PortClaim, PortRegistry, Transport};

use super::Bound;
use crate::error::LeaseError;
use crate::kernel_ports::KernelPorts;
use crate::lease::{PassedOver, PassedOverReason};
use crate::lock;
use crate::lock_name::{self, Label};
use crate::place::Place;
use crate::registry;
use crate::request::Request;

/// What stays the same from try to try.
pub(super) struct Attempt<'a> {
    request: &'a Request,
    registry: &'static PortRegistry,
    owner: Owner,
    places: Vec<Place>,
    since_ms: u64,
    /// A first lock that has no name yet, and the label that already speaks of it.
    spare: Option<(OwnedFd, OwnedFd)>,
}

/// A run of ports, all held.
pub(super) struct Taken {
    pub(super) first: Port,
    pub(super) locks: Vec<OwnedFd>,
    pub(super) label: OwnedFd,
    pub(super) claims: Vec<PortClaim>,
    pub(super) sockets: Vec<Bound>,
}

/// Why a run was not taken.
pub(super) enum Obstacle {
    /// This port of it cannot be had.
    Port { transport: Transport, port: Port, reason: Reason },
    /// It cannot be told; no other run would do better.
    Failure(LeaseError),
}

pub(super) enum Reason {
    Claim(ClaimError),
    Locked,
    InUse { address: IpAddr, source: io::Error },
}

impl Obstacle {
    /// What a search goes past; none where it has to end.
    pub(super) fn passed_over(&self) -> Option<PassedOver> {
        let Self::Port { transport, port, reason } = self else { return None };
        let reason = match reason {
            Reason::Claim(ClaimError::Held { .. }) | Reason::Locked => PassedOverReason::Locked,
            Reason::Claim(ClaimError::Privileged { .. }) => PassedOverReason::Privileged,
            Reason::Claim(_) => return None,
            Reason::InUse { .. } => PassedOverReason::InUse,
        };
        Some(PassedOver { transport: *transport, port: *port, reason })
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn new(request: &'a Request, kernel: &KernelPorts) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            request,
            registry: registry::claims(kernel),
            owner: request.name.clone().map_or(Owner::UNNAMED, Owner::from),
            places: Place::of(request),
            since_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            spare: None,
        }
    }

    /// Takes the run from `first` on. The order is that of the promise: nobody else of this process,
    /// nobody else who leases, nobody at all.
    pub(super) fn take(&mut self, first: Port) -> Result<Taken, Obstacle> {
        let claims = self.claim(first)?;
        let (locks, label) = self.lock(first)?;
        let sockets = self.bind(first)?;
        Ok(Taken { first, locks, label, claims, sockets })
    }

    fn claim(&self, first: Port) -> Result<Vec<PortClaim>, Obstacle> {
        let mut claims = Vec::new();
        for transport in self.request.protocols.transports().iter().copied() {
            let request = ClaimRequest::new(transport).exact(first).owner(self.owner.clone());
            match self.registry.claim_run(&request, usize::from(self.request.count)) {
                Ok(more) => claims.extend(more),
                Err(error) => {
                    let port = match &error {
                        ClaimError::Held { port, .. } | ClaimError::Privileged { port, .. } => {
                            *port
                        }
                        _ => first,
                    };
                    return Err(Obstacle::Port { transport, port, reason: Reason::Claim(error) });
                }
            }
        }
        Ok(claims)
    }

    fn lock(&mut self, first: Port) -> Result<(Vec<OwnedFd>, OwnedFd), Obstacle> {
        let (first_lock, label) = match self.spare.take() {
            Some(spare) => spare,
            None => self.label()?,
        };
        let mut unused = Some(first_lock);
        let mut locks = Vec::new();
        for port in self.run(first) {
            for transport in self.request.protocols.transports().iter().copied() {
                let name = lock_name::lock(transport, port.number());
                let failed = |source| failure(&name, source);
                let socket = match unused.take() {
                    Some(socket) => socket,
                    None => lock::socket().map_err(failed)?,
                };
                if !lock::take(&socket, &name).map_err(failed)? {
                    if locks.is_empty() {
                        // Neither has a name of this port: both serve the next try.
                        self.spare = Some((socket, label));
                    }
                    return Err(Obstacle::Port { transport, port, reason: Reason::Locked });
                }
                locks.push(socket);
            }
        }
        Ok((locks, label))
    }

    /// A socket for the first lock, and the label that says whose it is.
    fn label(&self) -> Result<(OwnedFd, OwnedFd), Obstacle> {
        let unnamed = |source| failure("ports-lease", source);
        let first_lock = lock::socket().map_err(unnamed)?;
        let label = Label {
            inode: lock::inode(&first_lock).map_err(unnamed)?,
            protocols: self.request.protocols,
            count: self.request.count,
            pid: std::process::id(),
            since_ms: self.since_ms,
            name: self.request.name.as_deref().map(lock_name::shown).unwrap_or_default(),
        };
        let name = label.abstract_name();
        let socket = lock::socket().map_err(unnamed)?;
        match lock::take(&socket, &name) {
            Ok(true) => Ok((first_lock, socket)),
            // It has the inode of our socket in it.
            Ok(false) => Err(failure(&name, io::ErrorKind::AddrInUse.into())),
            Err(source) => Err(failure(&name, source)),
        }
    }

    /// Binds the run at every address of the request.
    fn bind(&self, first: Port) -> Result<Vec<Bound>, Obstacle> {
        let mut sockets = Vec::new();
        for port in self.run(first) {
            for transport in self.request.protocols.transports().iter().copied() {
                for place in self.places.iter().copied() {
                    let address = place.address;
                    match place.bind(transport, port) {
                        Ok(socket) => sockets.push(Bound { socket, transport, port, place }),
                        Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                            let reason = Reason::InUse { address, source };
                            return Err(Obstacle::Port { transport, port, reason });
                        }
                        Err(source) => {
                            let error = LeaseError::Bind { transport, port, address, source };
                            return Err(Obstacle::Failure(error));
                        }
                    }
                }
            }
        }
        Ok(sockets)
    }

    /// The ports of the run. The claims were made for all of them, so none is past the last.
    fn run(&self, first: Port) -> impl Iterator<Item = Port> + use<> {
        (first.number()..=u16::MAX).take(usize::from(self.request.count)).map(Port::new)
    }
}

fn failure(name: &str, source: io::Error) -> Obstacle {
    Obstacle::Failure(LeaseError::Lock { name: name.to_owned(), source })
}
