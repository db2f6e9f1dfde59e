//! Why a port cannot be claimed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::registry::{ClaimAddress, Owner};
use crate::{Port, PortRange, Transport};

/// Why a port cannot be claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Port 0 was named. It is no port one can hold: to `bind` it means "any".
    #[error(
        "{transport} port 0 at {address} cannot be claimed: leave the port out to get any, or \
         bind to 0 and adopt the port the kernel chose"
    )]
    PortZero {
        /// The transport asked for.
        transport: Transport,
        /// The address asked for.
        address: ClaimAddress,
    },
    /// The port lies below the privilege floor, and the registry is not privileged.
    #[error(
        "{transport} port {port} at {address} needs privilege: ports below {floor} are reserved"
    )]
    Privileged {
        /// The transport asked for.
        transport: Transport,
        /// The address asked for.
        address: ClaimAddress,
        /// The port asked for.
        port: Port,
        /// The lowest port that needs no privilege.
        floor: Port,
    },
    /// A whole range lies below the privilege floor, and the registry is not privileged.
    #[error(
        "every {transport} port of {range} at {address} needs privilege: ports below {floor} are \
         reserved"
    )]
    PrivilegedRange {
        /// The transport asked for.
        transport: Transport,
        /// The address asked for.
        address: ClaimAddress,
        /// The range asked for.
        range: PortRange,
        /// The lowest port that needs no privilege.
        floor: Port,
    },
    /// Somebody holds the port at an address that overlaps the one asked for.
    #[error("{transport} port {port} at {address} is held by {holder}")]
    Held {
        /// The transport asked for.
        transport: Transport,
        /// The address asked for.
        address: ClaimAddress,
        /// The port asked for.
        port: Port,
        /// Who holds it, and where.
        holder: Holder,
    },
    /// No port of the range can be had.
    #[error("no {transport} port of {range} is free at {address}{}", Searched(*range, *searched))]
    Exhausted {
        /// The transport asked for.
        transport: Transport,
        /// The address asked for.
        address: ClaimAddress,
        /// The range asked for.
        range: PortRange,
        /// What of it was searched: the part the privilege floor allows.
        searched: PortRange,
    },
    /// No run of that many neighbouring ports can be had.
    #[error(
        "no {count} neighbouring {transport} ports of {range} are free at {address}{}",
        Searched(*range, *searched)
    )]
    NoRun {
        /// The transport asked for.
        transport: Transport,
        /// The address asked for.
        address: ClaimAddress,
        /// The range asked for; for an exact first port, from there to 65,535.
        range: PortRange,
        /// What of it was searched: the part the privilege floor allows.
        searched: PortRange,
        /// The length of the run.
        count: usize,
    },
    /// The registry holds as many claims of this transport as it was built for.
    #[error("the registry holds its limit of {limit} {transport} claims: release some")]
    TooMany {
        /// The transport asked for.
        transport: Transport,
        /// The limit, in claims per transport.
        limit: usize,
    },
}

/// Who holds a port, and at which address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
#[non_exhaustive]
pub enum Holder {
    /// A claim of this registry.
    #[non_exhaustive]
    Claim {
        /// The claim's label.
        owner: Owner,
        /// The address it is for.
        address: ClaimAddress,
    },
    /// Another process, as a caller saw.
    #[non_exhaustive]
    Foreign {
        /// The address at which it was seen.
        address: ClaimAddress,
    },
}

impl Holder {
    /// The address at which the port is held.
    pub const fn address(&self) -> ClaimAddress {
        match self {
            Self::Claim { address, .. } | Self::Foreign { address } => *address,
        }
    }

    /// The claim's label; none for another process.
    pub const fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Claim { owner, .. } => Some(owner),
            Self::Foreign { .. } => None,
        }
    }
}

/// `` `echo server` at 127.0.0.1 ``, or `another process at *`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim { owner, address } => write!(f, "`{owner}` at {address}"),
            Self::Foreign { address } => write!(f, "another process at {address}"),
        }
    }
}

/// Says which part of a range was searched, where it was not all of it.
struct Searched(PortRange, PortRange);

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(range, searched) = self;
        if range == searched { Ok(()) } else { write!(f, " (searched: {searched})") }
    }
}
