//! What this process may do, and how it gets to do the rest.

mod grant;
mod probe;

use std::fmt;

pub use grant::Grant;

/// What this process may do with the network it is in, found out by trying it.
///
/// ```
/// use sockets_raw::{Capability, Grant, Privilege};
///
/// let privilege = Privilege::probe();
/// let missing = privilege.missing(&[Capability::NetRaw]);
/// assert_eq!(missing.is_empty(), privilege.has(Capability::NetRaw));
/// if !missing.is_empty() {
///     // sudo setcap cap_net_raw=ep /usr/local/bin/ports
///     println!("{}", Grant::new("/usr/local/bin/ports", missing));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one permission, and they do not exclude each other"
)]
pub struct Privilege {
    /// Raw IP sockets can be opened.
    pub raw_sockets: bool,
    /// Packet sockets can be opened.
    pub packet_sockets: bool,
    /// ICMP datagram sockets can be opened (`net.ipv4.ping_group_range`).
    pub echo_sockets: bool,
    /// The network can be configured, and receive buffers go past the system's limit.
    pub administration: bool,
    /// The lowest port that can be bound: 1, or `net.ipv4.ip_unprivileged_port_start`.
    pub lowest_port: u16,
}

/// A capability of Linux (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Bind ports below `net.ipv4.ip_unprivileged_port_start`.
    NetBindService,
    /// Configure the network.
    NetAdmin,
    /// Open raw and packet sockets.
    NetRaw,
}

impl Privilege {
    /// Tries. It sends nothing, and binds nothing.
    pub fn probe() -> Self {
        probe::probe()
    }

    /// Whether the process may do what this capability is for.
    pub const fn has(&self, capability: Capability) -> bool {
        match capability {
            Capability::NetRaw => self.raw_sockets && self.packet_sockets,
            Capability::NetAdmin => self.administration,
            Capability::NetBindService => self.lowest_port <= 1,
        }
    }

    /// Those of `needed` that it lacks, each once, in the order given.
    pub fn missing(&self, needed: &[Capability]) -> Vec<Capability> {
        let mut missing = Vec::new();
        for capability in needed {
            if !self.has(*capability) && !missing.contains(capability) {
                missing.push(*capability);
            }
        }
        missing
    }
}

impl Capability {
    /// The name that setcap(8) takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetBindService => "cap_net_bind_service",
            Self::NetAdmin => "cap_net_admin",
            Self::NetRaw => "cap_net_raw",
        }
    }

    /// Its bit in a capability set (`linux/capability.h`).
    const fn bit(self) -> u32 {
        match self {
            Self::NetBindService => 10,
            Self::NetAdmin => 12,
            Self::NetRaw => 13,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
