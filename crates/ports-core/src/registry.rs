//! The port registry: which ports this program holds, per transport and address.

mod address;
mod bits;
mod builder;
mod choose;
mod claim;
mod error;
mod owner;
mod request;
mod search;
mod status;
mod table;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::table::TransportTable;
use crate::{Port, PortRange, Transport};

pub use self::address::{ClaimAddress, ParseClaimAddressError};
pub use self::builder::PortRegistryBuilder;
pub use self::claim::PortClaim;
pub use self::error::{ClaimError, Holder};
pub use self::owner::Owner;
pub use self::request::ClaimRequest;
pub use self::status::{
    ClaimRecord, ForeignRecord, RegistrySnapshot, RegistryStatus, TransportStatus, UsedPort,
};

/// Which ports this program holds, per transport and per address.
///
/// A clone is another handle on the same registry. It does no I/O: it keeps the parts of one program
/// out of each other's way, and what other processes hold it knows only from [`mark_foreign`]. Claim,
/// then bind; the kernel has the last word.
///
/// A claim, a release and a question each take one lock for a few tens of nanoseconds, however
/// many ports are held. Two cases take longer: a port held at many single addresses is searched
/// address by address, and "any" at a single address looks through its whole range once no port
/// is left that its family does not hold anywhere.
///
/// ```
/// use ports_core::{ClaimRequest, PortRegistry, Transport};
///
/// let registry = PortRegistry::new();
/// let request = ClaimRequest::new(Transport::Tcp).exact(8080).owner("echo server");
/// let claim = registry.claim(&request)?;
///
/// let error = registry.claim(&request).unwrap_err();
/// assert_eq!(error.to_string(), "tcp port 8080 at * is held by `echo server` at *");
///
/// claim.release();
/// assert!(registry.claim(&request).is_ok());
/// # Ok::<(), ports_core::ClaimError>(())
/// ```
///
/// [`mark_foreign`]: Self::mark_foreign
#[derive(Clone)]
pub struct PortRegistry {
    shared: Arc<Shared>,
}

struct Shared {
    dynamic_range: PortRange,
    privileged_below: Port,
    privileged: bool,
    claim_limit: usize,
    foreign_limit: usize,
    list_limit: usize,
    /// In the order of `Transport::ALL`, each under its own lock: transports never meet.
    tables: [Mutex<TransportTable>; Transport::ALL.len()],
}

impl PortRegistry {
    /// An empty registry with the defaults of [`PortRegistryBuilder`]: dynamic ports from 49,152,
    /// unprivileged, a privilege floor of 1024.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Settings for a registry.
    pub const fn builder() -> PortRegistryBuilder {
        PortRegistryBuilder::new()
    }

    /// The range "any" is taken from.
    pub fn dynamic_range(&self) -> PortRange {
        self.shared.dynamic_range
    }

    /// The privilege floor: the lowest port that needs no privilege.
    pub fn privileged_below(&self) -> Port {
        self.shared.privileged_below
    }

    /// Whether ports below the floor may be claimed.
    pub fn is_privileged(&self) -> bool {
        self.shared.privileged
    }

    /// Claims the port the request asks for.
    ///
    /// "Any" goes round its range, so that a port just released is not handed out again at once.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] names the port, or the range, and who is in the way. A preferred port that
    /// cannot be had is no error as long as another can.
    pub fn claim(&self, request: &ClaimRequest) -> Result<PortClaim, ClaimError> {
        let mut table = self.lock(request.transport);
        let port = self.shared.choose(&mut table, request, 1)?;
        Ok(self.enter(&mut table, request, port))
    }

    /// Claims `count` neighbouring ports, in ascending order: from the exact port on, from the
    /// preferred one if that run is free, or anywhere in the range. All or none; none for a count of
    /// 0. Takes time linear in the range.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim); [`ClaimError::NoRun`] where no run of more than one port is free.
    pub fn claim_run(
        &self,
        request: &ClaimRequest,
        count: usize,
    ) -> Result<Vec<PortClaim>, ClaimError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut table = self.lock(request.transport);
        let first = self.shared.choose(&mut table, request, count)?;
        let claims = (first..=u16::MAX)
            .take(count)
            .map(|port| self.enter(&mut table, request, port))
            .collect();
        Ok(claims)
    }

    /// Claims a port that the kernel chose for a socket bound to port 0.
    ///
    /// The kernel knows better than the registry: the privilege floor and foreign marks do not
    /// count, and the marks within this address are cleared.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Held`] where another claim was made for the port but is not bound yet: close the
    /// socket and bind to 0 again. [`ClaimError::PortZero`], [`ClaimError::TooMany`].
    pub fn adopt(
        &self,
        transport: Transport,
        address: impl Into<ClaimAddress>,
        port: impl Into<Port>,
        owner: impl Into<Owner>,
    ) -> Result<PortClaim, ClaimError> {
        let (address, port) = (address.into(), port.into());
        let request = ClaimRequest::new(transport).address(address).owner(owner);
        let mut table = self.lock(transport);
        self.shared.check_adoption(&table, &request, port)?;
        table.remove_marks(port.number(), address);
        Ok(self.enter(&mut table, &request, port.number()))
    }

    /// Notes that another process holds the port, as a caller learnt from `EADDRINUSE` at this
    /// address. The mark stays until [`clear_foreign`](Self::clear_foreign), or until the port is
    /// adopted: the registry has no clock.
    ///
    /// Whether the mark stands now: not for port 0, and not past the limit of foreign marks,
    /// which [`status`](Self::status) counts.
    pub fn mark_foreign(
        &self,
        transport: Transport,
        address: impl Into<ClaimAddress>,
        port: impl Into<Port>,
    ) -> bool {
        let (address, port) = (address.into(), port.into().number());
        let mut table = self.lock(transport);
        if port == 0 {
            return false;
        }
        if table.is_marked(port, address) {
            return true;
        }
        if table.marks() >= self.shared.foreign_limit {
            table.marks_refused += 1;
            return false;
        }
        table.insert_mark(port, address);
        true
    }

    /// Forgets the foreign marks of the port at this address and at every address it covers: the
    /// caller could bind it. A mark at a wider address stays, since its holder may be elsewhere.
    /// Returns how many there were.
    pub fn clear_foreign(
        &self,
        transport: Transport,
        address: impl Into<ClaimAddress>,
        port: impl Into<Port>,
    ) -> usize {
        let (address, port) = (address.into(), port.into());
        self.lock(transport).remove_marks(port.number(), address)
    }

    /// Whether the port could be claimed now; [`check`](Self::check) says why not.
    pub fn is_available(
        &self,
        transport: Transport,
        address: impl Into<ClaimAddress>,
        port: impl Into<Port>,
    ) -> bool {
        self.check(transport, address, port).is_ok()
    }

    /// Whether the port could be claimed now, claiming nothing.
    ///
    /// # Errors
    ///
    /// The [`ClaimError`] that [`claim`](Self::claim) would give for this exact port.
    pub fn check(
        &self,
        transport: Transport,
        address: impl Into<ClaimAddress>,
        port: impl Into<Port>,
    ) -> Result<(), ClaimError> {
        let request = ClaimRequest::new(transport).address(address);
        self.shared.check(&self.lock(transport), &request, port.into())
    }

    fn enter(&self, table: &mut TransportTable, request: &ClaimRequest, port: u16) -> PortClaim {
        let ClaimRequest { transport, address, .. } = *request;
        PortClaim {
            registry: self.clone(),
            slot: table.insert_claim(port, address, request.owner.clone()),
            transport,
            address,
            port: Port::new(port),
            owner: request.owner.clone(),
        }
    }

    fn lock(&self, transport: Transport) -> MutexGuard<'_, TransportTable> {
        // No code of others runs under the lock: a poisoned table is still a whole one.
        self.shared.tables[transport as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for PortRegistry {
    fn default() -> Self {
        Self::new()
    }
}

/// The settings and how much is held, not the tables.
impl fmt::Debug for PortRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PortRegistry");
        debug.field("dynamic_range", &self.shared.dynamic_range);
        for transport in Transport::ALL {
            debug.field(transport.name(), &self.lock(transport).claims());
        }
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
