//! A lease, and what was passed over to get it.

use std::fmt;

use ports_core::{Port, PortClaim, Transport};

use crate::lock::Locks;
use crate::protocols::Protocols;

/// A port, or a run of neighbouring ones, that no other lease in this network namespace holds (of this
/// user, elsewhere than on Linux).
///
/// It ends when the value is dropped, or the process ends in whatever way; where it was passed on
/// (`pass_to`, on Linux), with the last process that keeps it open. It takes a descriptor for each port
/// and transport, and one more, or up to four where its name is long; of a [lock directory](crate::Request::lock_directory) two for each.
/// While another thread starts a program, the copies of them in the new process count too, for the
/// moment until that runs.
///
/// The ports are not bound: that is for the program that they are meant for.
#[must_use = "the ports are let go when the lease is dropped"]
pub struct Lease {
    pub(crate) first: Port,
    pub(crate) count: u16,
    pub(crate) protocols: Protocols,
    pub(crate) name: Option<String>,
    pub(crate) is_ephemeral: bool,
    pub(crate) passed: PassedPorts,
    pub(crate) locks: Locks,
    pub(crate) claims: Vec<PortClaim>,
}

impl Lease {
    /// The port; of a run, the first.
    pub const fn port(&self) -> Port {
        self.first
    }

    /// The number of the port; of a run, of the first.
    pub const fn number(&self) -> u16 {
        self.first.number()
    }

    /// All ports, in ascending order.
    pub fn ports(
        &self,
    ) -> impl DoubleEndedIterator<Item = Port> + ExactSizeIterator + Clone + use<> {
        let first = self.first.number();
        (0..self.count).map(move |index| Port::new(first + index))
    }

    /// The transports that they are leased in.
    pub const fn transports(&self) -> &'static [Transport] {
        self.protocols.transports()
    }

    /// For whom, as the request had it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the kernel may give one of the ports to an outgoing connection before it is bound:
    /// see [`Request::within`](crate::Request::within).
    pub const fn is_ephemeral(&self) -> bool {
        self.is_ephemeral
    }

    /// The first ports that would have been taken, were they free: 64 at most.
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed.first
    }

    /// How many ports were passed over.
    pub fn passed_over_count(&self) -> u32 {
        self.passed.total()
    }

    /// Lets the ports go, as dropping does, where that is to be seen in the code.
    pub fn release(self) {
        drop(self);
    }
}

/// `tcp port 20001 (web)`, `udp ports 20001-20003`.
impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, first) = (self.protocols.words(), self.first);
        match self.ports().next_back() {
            Some(last) if last != first => write!(f, "{words} ports {first}-{last}")?,
            _ => write!(f, "{words} port {first}")?,
        }
        self.name().map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = self.claims.len();
        write!(f, "Lease({self}, {} locks, {claims} claims)", self.locks.len())
    }
}

/// A port that a search came by and could not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[non_exhaustive]
pub struct PassedOver {
    /// The transport it was not free in.
    pub transport: Transport,
    /// The port.
    pub port: Port,
    /// Why.
    pub reason: PassedOverReason,
}

/// Why a port was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PassedOverReason {
    /// Its lock is held: by a lease, or by a program that is none; [`leases`](crate::leases) tells.
    Locked,
    /// It is bound, or a connection that closed lately still counts (`TIME_WAIT`, RFC 9293 section
    /// 3.3.2).
    InUse,
    /// It needs a privilege.
    Privileged,
}

/// What a search passed over: the first few, and counts of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassedPorts {
    first: Vec<PassedOver>,
    pub(crate) locked: u32,
    pub(crate) in_use: u32,
    pub(crate) privileged: u32,
}

impl PassedPorts {
    const LISTED: usize = 64;

    pub(crate) fn add(&mut self, passed: PassedOver) {
        match passed.reason {
            PassedOverReason::Locked => self.locked += 1,
            PassedOverReason::InUse => self.in_use += 1,
            PassedOverReason::Privileged => self.privileged += 1,
        }
        if self.first.len() < Self::LISTED {
            self.first.push(passed);
        }
    }

    fn total(&self) -> u32 {
        self.locked + self.in_use + self.privileged
    }
}
