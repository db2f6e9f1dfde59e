//! What is known of a host after it was asked.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::wire::IcmpErrorKind;

/// What is known of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PingResult {
    /// The host.
    pub host: IpAddr,
    /// How many requests the kernel took.
    pub sent: u16,
    /// What came of them.
    pub outcome: PingOutcome,
}

/// What came of asking a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PingOutcome {
    /// It is there.
    Answered {
        /// From the request that was answered to the answer.
        round_trip: Duration,
    },
    /// Someone on the way said that the request could not be delivered.
    Undelivered {
        /// Why.
        kind: IcmpErrorKind,
        /// Who said so.
        by: IpAddr,
    },
    /// This machine found nobody with the address on its link: the requests did not leave it, and no
    /// host there is up. Seen over raw sockets only.
    Unresolved,
    /// Nothing came back in time.
    Silent,
    /// This machine did not send: nothing is known about the host.
    NotSent {
        /// Why not: the kind of the last error of sending.
        error: io::ErrorKind,
    },
    /// The deadline came first: nothing is known about the host.
    NotAsked,
}

impl PingResult {
    /// Whether the host answered.
    pub const fn is_up(&self) -> bool {
        matches!(self.outcome, PingOutcome::Answered { .. })
    }
}
