//! One try at one run of ports: all of it is taken, or nothing.

use std::io;
use std::net::IpAddr;
use std::time::SystemTime;

use ports_core::{ClaimError, ClaimRequest, Owner, Port, PortClaim, PortRegistry, Transport};

use super::Bound;
use crate::copies::Copies;
use crate::error::LeaseError;
use crate::kernel_ports::KernelPorts;
use crate::lease::{PassedOver, PassedOverReason};
use crate::lock::{Locker, Locks, NotLocked, Terms, lease_name};
use crate::place::Place;
use crate::registry;
use crate::request::Request;

/// What stays the same from try to try.
pub(super) struct Attempt<'a> {
    request: &'a Request,
    registry: &'static PortRegistry,
    owner: Owner,
    places: Vec<Place>,
    locker: Locker,
    /// Whether the ports stay bound.
    binds: bool,
}

/// A run of ports, all held.
pub(super) struct Taken {
    pub(super) first: Port,
    pub(super) locks: Locks,
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
    InUse {
        address: IpAddr,
        source: io::Error,
    },
    /// A capability that is not one over this network namespace does not count.
    NotPermitted {
        address: IpAddr,
        source: io::Error,
    },
}

impl Obstacle {
    /// What a search goes past; none where it has to end.
    pub(super) fn passed_over(&self) -> Option<PassedOver> {
        let Self::Port { transport, port, reason } = self else { return None };
        let reason = match reason {
            Reason::Claim(ClaimError::Held { .. }) | Reason::Locked => PassedOverReason::Locked,
            Reason::Claim(ClaimError::Privileged { .. }) | Reason::NotPermitted { .. } => {
                PassedOverReason::Privileged
            }
            Reason::Claim(_) => return None,
            Reason::InUse { .. } => PassedOverReason::InUse,
        };
        Some(PassedOver { transport: *transport, port: *port, reason })
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        request: &'a Request,
        kernel: &KernelPorts,
        binds: bool,
    ) -> Result<Self, LeaseError> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let terms = Terms {
            protocols: request.protocols,
            count: request.count,
            pid: std::process::id(),
            since_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            name: request.name.as_deref().map(lease_name::shown).unwrap_or_default(),
        };
        Ok(Self {
            request,
            registry: registry::claims(kernel),
            owner: request.name.clone().map_or(Owner::from("a lease without a name"), Owner::from),
            places: Place::of(request),
            locker: Locker::of(request, &terms)?,
            binds,
        })
    }

    /// What its locks are.
    pub(super) const fn locker(&self) -> &Locker {
        &self.locker
    }

    /// Takes the run from `first` on. The order is that of the promise: nobody else of this process,
    /// nobody else who leases, nobody at all.
    pub(super) fn take(&mut self, first: Port) -> Result<Taken, Obstacle> {
        let claims = self.claim(first)?;
        let locks = self.lock(first)?;
        let mut sockets = Vec::new();
        if self.binds {
            self.bind(first, |bound| sockets.push(bound))?;
        } else {
            self.probe(first)?;
        }
        Ok(Taken { first, locks, claims, sockets })
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

    fn lock(&mut self, first: Port) -> Result<Locks, Obstacle> {
        let transports = self.request.protocols.transports();
        let ports = self.run(first);
        let ports =
            ports.flat_map(|port| transports.iter().map(move |transport| (*transport, port)));
        self.locker.lock(ports).map_err(|error| match error {
            NotLocked::Held { transport, port } => {
                Obstacle::Port { transport, port, reason: Reason::Locked }
            }
            NotLocked::Failed(error) => Obstacle::Failure(error),
        })
    }

    /// Looks whether the run can be bound, and leaves it unbound.
    fn probe(&self, first: Port) -> Result<(), Obstacle> {
        let (transport, place) = (self.request.protocols.transports()[0], self.places[0]);
        let address = place.address;
        let failed = |source| {
            Obstacle::Failure(LeaseError::Bind { transport, port: first, address, source })
        };
        let copies = Copies::watch().map_err(failed)?;
        // One after the other, so that a long run takes one descriptor.
        self.bind(first, drop)?;
        if copies.are_gone().map_err(failed)? {
            return Ok(());
        }
        let reason = Reason::InUse { address, source: io::ErrorKind::AddrInUse.into() };
        Err(Obstacle::Port { transport, port: first, reason })
    }

    /// Binds the run at every address of the request.
    fn bind(&self, first: Port, mut bound: impl FnMut(Bound)) -> Result<(), Obstacle> {
        for port in self.run(first) {
            for transport in self.request.protocols.transports().iter().copied() {
                for place in self.places.iter().copied() {
                    let address = place.address;
                    match place.bind(transport, port) {
                        Ok(socket) => bound(Bound { socket, transport, port, place }),
                        Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                            let reason = Reason::InUse { address, source };
                            return Err(Obstacle::Port { transport, port, reason });
                        }
                        Err(source)
                            if source.kind() == io::ErrorKind::PermissionDenied
                                && port < self.registry.privileged_below() =>
                        {
                            let reason = Reason::NotPermitted { address, source };
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
        Ok(())
    }

    /// The ports of the run. The claims were made for all of them, so none is past the last.
    fn run(&self, first: Port) -> impl Iterator<Item = Port> + use<> {
        (first.number()..=u16::MAX).take(usize::from(self.request.count)).map(Port::new)
    }
}
