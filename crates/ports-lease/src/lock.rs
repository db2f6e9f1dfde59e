//! The locks of ports: abstract UNIX sockets on Linux, files in a directory elsewhere.

pub(crate) mod file;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only the names of sockets are cut into parts")
)]
pub(crate) mod lease_name;
#[cfg(target_os = "linux")]
pub(crate) mod socket;
#[cfg(target_os = "linux")]
pub(crate) mod socket_name;

#[cfg(target_os = "linux")]
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use ports_core::{Port, Transport};

use crate::error::LeaseError;
use crate::protocols::Protocols;
use crate::record::{self, LeaseRecord};
use crate::request::Request;

/// What a lease says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) protocols: Protocols,
    pub(crate) count: u16,
    pub(crate) pid: u32,
    pub(crate) since_ms: u64,
    /// As it can be shown; empty where it has none.
    pub(crate) name: String,
}

/// What takes the locks of one request.
pub(crate) enum Locker {
    #[cfg(target_os = "linux")]
    Sockets(socket::Locker),
    Files(file::Locker),
}

/// Why a run of ports was not locked; nothing of it is then.
pub(crate) enum NotLocked {
    /// Somebody has the lock of this one.
    Held { transport: Transport, port: Port },
    /// It cannot be told; no other run would do better.
    Failed(LeaseError),
}

/// The locks of one lease, until it is dropped.
#[derive(Debug)]
pub(crate) enum Locks {
    #[cfg(target_os = "linux")]
    Sockets(socket::Locks),
    Files(file::Locks),
}

impl Locker {
    /// The locks that a request is for: this system's own, unless it says otherwise.
    pub(crate) fn of(request: &Request, terms: &Terms) -> Result<Self, LeaseError> {
        #[cfg(target_os = "linux")]
        if request.lock_directory.is_none() {
            return Ok(Self::Sockets(socket::Locker::new(terms.clone())));
        }
        let directory = request.lock_directory.as_deref();
        file::Locker::new(directory, terms).map(Self::Files)
    }

    /// Takes the lock of each of these ports, or none.
    pub(crate) fn lock(
        &mut self,
        ports: impl Iterator<Item = (Transport, Port)>,
    ) -> Result<Locks, NotLocked> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Sockets(locker) => locker.lock(ports).map(Locks::Sockets),
            Self::Files(locker) => locker.lock(ports).map(Locks::Files),
        }
    }

    /// Who has the lock of a port; none where nobody does, or it cannot be known.
    pub(crate) fn holder_of(&self, transport: Transport, port: Port) -> Option<LeaseRecord> {
        let meant = |record: &LeaseRecord| (record.transport, record.port) == (transport, port);
        let found = match self {
            #[cfg(target_os = "linux")]
            Self::Sockets(_) => return record::from_sockets::holder_of(transport, port),
            Self::Files(locker) => record::from_files::all(locker.directory()),
        };
        let found = found.inspect_err(|error| tracing::debug!(%error)).ok()?;
        // Without a label it is a lease that is being made.
        found.into_iter().find(meant).filter(|record| record.lease.is_some())
    }

    /// Every lock that is held by a program that is no lease. Where they cannot be listed nothing is known
    /// against them, and nobody but a lease has a reason to lock files.
    pub(crate) fn squatters(&self) -> Vec<LeaseRecord> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Sockets(_) => record::squatters().unwrap_or_default(),
            Self::Files(_) => Vec::new(),
        }
    }
}

impl Locks {
    /// How many ports they lock, each transport by itself.
    pub(crate) fn len(&self) -> usize {
        match self {
            #[cfg(target_os = "linux")]
            Self::Sockets(locks) => locks.len(),
            Self::Files(locks) => locks.len(),
        }
    }

    /// Duplicates of all descriptors: the locks are held until they are closed, too.
    #[cfg(target_os = "linux")]
    pub(crate) fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        match self {
            Self::Sockets(locks) => locks.descriptors(),
            Self::Files(locks) => locks.descriptors(),
        }
    }

    /// No duplicates: where descriptors are short, there would be none left for them.
    #[cfg(target_os = "linux")]
    pub(crate) fn into_descriptors(self) -> Vec<OwnedFd> {
        match self {
            Self::Sockets(locks) => locks.into_descriptors(),
            Self::Files(locks) => locks.into_descriptors(),
        }
    }
}
