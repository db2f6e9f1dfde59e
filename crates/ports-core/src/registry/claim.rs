//! A port held, and let go when the value is dropped.

use std::fmt;

use crate::registry::table::SlotId;
use crate::registry::{ClaimAddress, Owner, PortRegistry};
use crate::{Port, Transport};

/// A port this program holds, until the value is dropped or [released](Self::release).
///
/// It is not a socket and opens none: keep it beside the socket that is bound to the port, for
/// exactly as long. It cannot be copied, so the port is let go once.
#[must_use = "the port is let go when the claim is dropped"]
pub struct PortClaim {
    pub(super) registry: PortRegistry,
    pub(super) slot: SlotId,
    pub(super) transport: Transport,
    pub(super) address: ClaimAddress,
    pub(super) port: Port,
    pub(super) owner: Owner,
}

impl PortClaim {
    /// The port; never 0.
    pub const fn port(&self) -> Port {
        self.port
    }

    /// The transport the port belongs to.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The local address the port is held at.
    pub const fn address(&self) -> ClaimAddress {
        self.address
    }

    /// The label of its holder.
    pub fn owner(&self) -> &str {
        self.owner.as_str()
    }

    /// Lets the port go, as dropping does, where that is to be seen in the code.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for PortClaim {
    fn drop(&mut self) {
        self.registry.lock(self.transport).remove_claim(self.slot);
    }
}

impl fmt::Debug for PortClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortClaim({self})")
    }
}

/// `tcp port 8080 at 127.0.0.1 (echo server)`.
impl fmt::Display for PortClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, port, address, owner, .. } = self;
        write!(f, "{transport} port {port} at {address} ({owner})")
    }
}
