//! Who holds what.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use ports_core::{Port, Transport};

use crate::error::ListError;
use crate::lock_name::{self, Label, Meaning};
use crate::named_socket::{self, NamedSocket};
use crate::process::{HolderProcess, holders_of};

/// A port whose lock is held in this network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseRecord {
    /// The transport.
    pub transport: Transport,
    /// The port.
    pub port: Port,
    /// The user who took the lock, as the kernel tells it; Linux before 5.3 does not.
    pub uid: Option<u32>,
    /// The processes that hold the lock now, by number, as far as this process may look: those of
    /// other users only with `CAP_SYS_PTRACE`.
    pub processes: Vec<HolderProcess>,
    /// What the lease says of itself. None: the name of the lock is held by a program that is no
    /// lease, and the port cannot be leased as long.
    pub lease: Option<LeaseLabel>,
}

/// What a lease says of itself, as it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseLabel {
    /// For whom, if it was said.
    pub name: Option<String>,
    /// The process that took it, in the numbers of its own process namespace. It may be gone, where it
    /// passed the lease on.
    pub taken_by: u32,
    /// When.
    pub since: SystemTime,
}

/// `` `web`, held by node (process 12) ``; or who has the name of a lock, where that is no lease.
impl fmt::Display for LeaseRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.lease.as_ref().and_then(|lease| lease.name.as_deref());
        if let Some(name) = name {
            write!(f, "`{name}`, held by ")?;
        }
        match (self.processes.as_slice(), &self.lease) {
            ([process], _) => write!(f, "{process}"),
            ([process, more @ ..], _) => write!(f, "{process} and {} more", more.len()),
            ([], lease) => {
                match lease {
                    Some(lease) => write!(f, "process {}", lease.taken_by)?,
                    None => f.write_str("a process")?,
                }
                match self.uid {
                    Some(uid) => write!(f, " of user {uid}, which cannot be looked into"),
                    None => f.write_str(", which cannot be looked into"),
                }
            }
        }
    }
}

/// Every port of this network namespace whose lock is held, by port, then by transport.
///
/// # Errors
///
/// [`ListError`] where the kernel does not tell which names are held.
pub fn leases() -> Result<Vec<LeaseRecord>, ListError> {
    let mut locks = locks(named_socket::all()?);
    locks.sort_unstable_by_key(|lock| (lock.port, lock.transport));
    Ok(with_processes(locks))
}

/// Who holds the lock of a port; none where nobody does, or it cannot be known.
pub(crate) fn holder_of(transport: Transport, port: Port) -> Option<LeaseRecord> {
    let sockets = named_socket::all().inspect_err(|error| tracing::debug!(%error)).ok()?;
    let mut locks = locks(sockets);
    locks.retain(|lock| (lock.transport, lock.port) == (transport, port));
    with_processes(locks).pop()
}

/// A lock that is held, and the label it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lock {
    transport: Transport,
    port: Port,
    inode: u64,
    uid: Option<u32>,
    label: Option<Label>,
}

/// Tells locks from labels, and which belong together.
fn locks(sockets: Vec<NamedSocket>) -> Vec<Lock> {
    let mut locks = Vec::new();
    let mut labels = HashMap::new();
    for socket in sockets {
        match lock_name::read(&socket.name) {
            Some(Meaning::Lock(transport, port)) => {
                let NamedSocket { inode, uid, .. } = socket;
                locks.push(Lock { transport, port, inode, uid, label: None });
            }
            Some(Meaning::Label(label)) => {
                // Of another user, it is no label of that lock, whatever it says.
                labels.insert((label.inode, socket.uid), label);
            }
            None => {}
        }
    }
    // A label names the lock of its first port; the others of its run follow from that.
    let mut runs = Vec::new();
    for lock in &mut locks {
        if let Some(label) = labels.remove(&(lock.inode, lock.uid)) {
            runs.push((lock.port, lock.uid, label.clone()));
            lock.label = Some(label);
        }
    }
    for lock in locks.iter_mut().filter(|lock| lock.label.is_none()) {
        let covers = |(first, uid, label): &&(Port, Option<u32>, Label)| {
            let index = lock.port.number().checked_sub(first.number());
            *uid == lock.uid
                && label.protocols.contains(lock.transport)
                && index.is_some_and(|index| index < label.count)
        };
        lock.label = runs.iter().find(covers).map(|(_, _, label)| label.clone());
    }
    locks
}

fn with_processes(locks: Vec<Lock>) -> Vec<LeaseRecord> {
    let inodes: HashSet<u64> = locks.iter().map(|lock| lock.inode).collect();
    let mut holders = holders_of(&inodes);
    let record = |lock: Lock| LeaseRecord {
        transport: lock.transport,
        port: lock.port,
        uid: lock.uid,
        processes: holders.remove(&lock.inode).unwrap_or_default(),
        lease: lock.label.map(LeaseLabel::from),
    };
    locks.into_iter().map(record).collect()
}

impl From<Label> for LeaseLabel {
    fn from(label: Label) -> Self {
        let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(label.since_ms));
        Self {
            name: (!label.name.is_empty()).then_some(label.name),
            taken_by: label.pid,
            // Any number of milliseconds is a time on Linux; a liar's might not be elsewhere.
            since: since.unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

#[cfg(test)]
mod tests;
