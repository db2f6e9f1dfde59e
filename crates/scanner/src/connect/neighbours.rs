//! The way to a target that the kernel asks for us: whether a probe may go now, and what its silence means.

#[cfg(not(all(feature = "raw", target_os = "linux")))]
mod arp_table;
#[cfg(all(feature = "raw", target_os = "linux"))]
mod netlink;
#[cfg(all(feature = "raw", target_os = "linux"))]
mod places;

use std::net::IpAddr;
use std::time::Instant;

use crate::engine::LocalError;

#[cfg(not(all(feature = "raw", target_os = "linux")))]
pub(crate) use arp_table::{Neighbours, Shared};
#[cfg(all(feature = "raw", target_os = "linux"))]
pub(crate) use netlink::{Neighbours, Shared};

impl Neighbours {
    /// Why the kernel did not reach `target`, as it said: a link that is down is to it one more neighbour
    /// that does not answer.
    pub(crate) fn cause(&mut self, now: Instant, target: IpAddr, said: LocalError) -> LocalError {
        match said {
            LocalError::NeighbourUnresolved => self.failure(now, target).unwrap_or(said),
            said => said,
        }
    }
}

/// What is to be done with a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "raw", target_os = "linux")),
    expect(dead_code, reason = "without netlink every probe goes")
)]
pub(crate) enum Admission {
    /// It may leave.
    Go,
    /// The kernel's table of neighbours is full of those it looks for: the probe would be dropped there
    /// without a word. It has to wait.
    Wait,
    /// It cannot arrive.
    Refused(LocalError),
}
