//! What is asked of the registry: which transport, address and port, for whom.

use crate::registry::{ClaimAddress, Owner};
use crate::{Port, PortRange, Transport};

/// A request for a port. Fresh from [`new`](Self::new) it asks for any port of the registry's dynamic
/// range, at the dual-stack wildcard, for nobody in particular.
///
/// It may be used again and again: a claim takes nothing from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    pub(super) transport: Transport,
    pub(super) address: ClaimAddress,
    pub(super) choice: Choice,
    pub(super) range: Option<PortRange>,
    pub(super) owner: Owner,
    pub(super) ignore_foreign: bool,
}

/// Which port is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Any,
    Exact(Port),
    Preferred(Port),
}

impl ClaimRequest {
    /// A request for any dynamic port of this transport.
    #[must_use]
    pub const fn new(transport: Transport) -> Self {
        Self {
            transport,
            address: ClaimAddress::dual_stack(),
            choice: Choice::Any,
            range: None,
            owner: Owner::UNNAMED,
            ignore_foreign: false,
        }
    }

    /// This port or none. Replaces an earlier [`preferred`](Self::preferred); a range is not looked
    /// at then.
    #[must_use]
    pub fn exact(mut self, port: impl Into<Port>) -> Self {
        self.choice = Choice::Exact(port.into());
        self
    }

    /// This port if it can be had, else any. Replaces an earlier [`exact`](Self::exact).
    #[must_use]
    pub fn preferred(mut self, port: impl Into<Port>) -> Self {
        self.choice = Choice::Preferred(port.into());
        self
    }

    /// Where "any" looks instead of the registry's dynamic range. Of a range that reaches below the
    /// privilege floor an unprivileged registry takes the ports from the floor upwards.
    #[must_use]
    pub const fn within(mut self, range: PortRange) -> Self {
        self.range = Some(range);
        self
    }

    /// The local address; default: [`ClaimAddress::dual_stack`].
    #[must_use]
    pub fn address(mut self, address: impl Into<ClaimAddress>) -> Self {
        self.address = address.into();
        self
    }

    /// Who will hold the port, for status and errors; default: [`Owner::UNNAMED`].
    #[must_use]
    pub fn owner(mut self, owner: impl Into<Owner>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Takes the exact or preferred port even where a foreign mark stands: for a caller that is
    /// about to bind, and so will learn whether the other process is still there. "Any" keeps
    /// away from marked ports all the same.
    #[must_use]
    pub const fn ignore_foreign(mut self) -> Self {
        self.ignore_foreign = true;
        self
    }
}
