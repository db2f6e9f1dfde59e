//! Why a scan cannot be built, begin or go on.

use std::io;
use std::net::IpAddr;

use crate::plan::PlanError;
use crate::resume::ResumeError;
use crate::state::Reason;

/// Why a scan failed. What a scan finds, an unreachable host included, is no error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// There is nothing to scan, or too much.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The source address asked for is none of this machine's.
    #[error("cannot scan from {address}: it is no address of this machine")]
    Source {
        /// The address.
        address: IpAddr,
        /// What `bind` said.
        source: io::Error,
    },
    /// The interfaces' addresses could not be read.
    #[error("cannot read the addresses of this machine's interfaces")]
    Interfaces {
        /// What the system said.
        source: io::Error,
    },
    /// This process may not send raw packets, or this build cannot.
    #[error("cannot scan by raw packets")]
    RawPackets {
        /// What the system said; `PermissionDenied` without the capability `CAP_NET_RAW`.
        source: io::Error,
    },
    /// The interface asked for is not there.
    #[error("cannot scan by interface `{name}`")]
    Interface {
        /// Its name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The scan cannot go on from its resume file, or keep it.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// Parts of a scan have to be of one plan.
    #[error(
        "host discovery goes with no shard and no resume file: who is up may change in between"
    )]
    DiscoverInParts,
    /// A worker thread or its poller could not be had, or failed.
    #[error("cannot {operation}")]
    Worker {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// This machine could not ask some ports.
    #[error("{ports} ports of {address} could not be asked: {reason}")]
    NotAsked {
        /// The host.
        address: IpAddr,
        /// How many ports.
        ports: u64,
        /// Why the first of them could not be asked.
        reason: Reason,
    },
    /// The source address and a target are of different families.
    #[error("cannot scan {target} from {address}: one is IPv4, the other IPv6")]
    SourceFamily {
        /// The source address.
        address: IpAddr,
        /// The first such target.
        target: IpAddr,
    },
    /// The kernel took nothing that was to leave, for too long.
    #[error("nothing has left this machine for 10 s ({reason}): the scan was cut short")]
    NothingLeaves {
        /// Why the last probe could not be sent.
        reason: Reason,
    },
    /// No descriptor or port was to be had for too long.
    #[error(
        "out of descriptors or local ports for 10 s: the scan was cut short \
         (raise the descriptor limit with `ulimit -n`, or close other programs)"
    )]
    OutOfResources,
}
