//! How a registry is set up.

use std::sync::{Arc, Mutex};

use crate::registry::table::TransportTable;
use crate::registry::{PortRegistry, Shared};
use crate::{Port, PortRange, Transport};

/// Sets up a [`PortRegistry`].
#[derive(Clone, Debug)]
pub struct PortRegistryBuilder {
    dynamic_range: PortRange,
    privileged_below: Port,
    privileged: bool,
    claim_limit: u32,
    foreign_limit: u32,
    list_limit: usize,
    seed: u64,
}

impl PortRegistryBuilder {
    /// The default dynamic range: RFC 6335's Dynamic Ports, 49,152 to 65,535.
    pub const DEFAULT_DYNAMIC_RANGE: PortRange = PortRange::DYNAMIC;
    /// The default privilege floor: Linux's `ip_unprivileged_port_start` unless changed, 1024.
    pub const DEFAULT_PRIVILEGED_BELOW: Port = Port::new(1024);
    /// How many claims of one transport are held at most by default: 1,048,576.
    pub const DEFAULT_CLAIM_LIMIT: u32 = 1 << 20;
    /// How many foreign marks of one transport are kept at most by default: 65,536.
    pub const DEFAULT_FOREIGN_LIMIT: u32 = 1 << 16;
    /// How many claims, and how many foreign marks, of one transport a status or snapshot lists
    /// at most by default: 4096.
    pub const DEFAULT_LIST_LIMIT: usize = 4096;

    pub(super) const fn new() -> Self {
        Self {
            dynamic_range: Self::DEFAULT_DYNAMIC_RANGE,
            privileged_below: Self::DEFAULT_PRIVILEGED_BELOW,
            privileged: false,
            claim_limit: Self::DEFAULT_CLAIM_LIMIT,
            foreign_limit: Self::DEFAULT_FOREIGN_LIMIT,
            list_limit: Self::DEFAULT_LIST_LIMIT,
            seed: 0,
        }
    }

    /// Where "any" looks unless the request says otherwise; default:
    /// [`DEFAULT_DYNAMIC_RANGE`](Self::DEFAULT_DYNAMIC_RANGE).
    #[must_use]
    pub const fn dynamic_range(mut self, range: PortRange) -> Self {
        self.dynamic_range = range;
        self
    }

    /// The lowest port that needs no privilege; default:
    /// [`DEFAULT_PRIVILEGED_BELOW`](Self::DEFAULT_PRIVILEGED_BELOW). 0 or 1: none does. On Linux the
    /// application reads it from `/proc/sys/net/ipv4/ip_unprivileged_port_start`.
    #[must_use]
    pub fn privileged_below(mut self, floor: impl Into<Port>) -> Self {
        self.privileged_below = floor.into();
        self
    }

    /// Whether this process may bind below the floor; default: no. On Linux it may if it has
    /// `CAP_NET_BIND_SERVICE`; the application asks the system, the registry does no I/O.
    #[must_use]
    pub const fn privileged(mut self, privileged: bool) -> Self {
        self.privileged = privileged;
        self
    }

    /// How many claims of one transport are held at most; the next is refused with
    /// [`ClaimError::TooMany`](crate::ClaimError::TooMany). At most 2^31 - 1; default:
    /// [`DEFAULT_CLAIM_LIMIT`](Self::DEFAULT_CLAIM_LIMIT).
    #[must_use]
    pub const fn claim_limit(mut self, limit: u32) -> Self {
        self.claim_limit = limit;
        self
    }

    /// How many foreign marks of one transport are kept at most; further ones are not kept, and
    /// counted in status and snapshot. At most 2^31 - 1; default:
    /// [`DEFAULT_FOREIGN_LIMIT`](Self::DEFAULT_FOREIGN_LIMIT).
    #[must_use]
    pub const fn foreign_limit(mut self, limit: u32) -> Self {
        self.foreign_limit = limit;
        self
    }

    /// How many claims, and how many foreign marks, of one transport a status or snapshot lists;
    /// the others it counts. Default: [`DEFAULT_LIST_LIMIT`](Self::DEFAULT_LIST_LIMIT).
    #[must_use]
    pub const fn list_limit(mut self, limit: usize) -> Self {
        self.list_limit = limit;
        self
    }

    /// Where in its range the first search for "any" starts, modulo the length of the range;
    /// default: 0, its first port. Programs that share a machine do well to take a random one.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// An empty registry with these settings.
    pub fn build(self) -> PortRegistry {
        // Claims and marks together must stay within the 2^32 - 1 slots of a table.
        const SLOTS: u32 = u32::MAX / 2;
        PortRegistry {
            shared: Arc::new(Shared {
                dynamic_range: self.dynamic_range,
                privileged_below: self.privileged_below,
                privileged: self.privileged,
                claim_limit: self.claim_limit.min(SLOTS) as usize,
                foreign_limit: self.foreign_limit.min(SLOTS) as usize,
                list_limit: self.list_limit,
                tables: Transport::ALL.map(|_| Mutex::new(TransportTable::new(self.seed))),
            }),
        }
    }
}

impl Default for PortRegistryBuilder {
    fn default() -> Self {
        Self::new()
    }
}
