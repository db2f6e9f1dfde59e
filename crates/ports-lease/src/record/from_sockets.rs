//! Who holds what, as the kernel lists its abstract names.

use std::collections::{HashMap, HashSet};

use ports_core::{Port, Transport};

use super::named_socket::{self, NamedSocket};
use super::{LeaseLabel, LeaseRecord};
use crate::error::ListError;
use crate::lock::Terms;
use crate::lock::lease_name::shown;
use crate::lock::socket_name::{self, Label, Meaning};
use crate::process::holders_of;
use crate::user::Passwd;

/// Every lock.
pub(super) fn all() -> Result<Vec<LeaseRecord>, ListError> {
    look(|_| true)
}

/// Every lock that has no label. Processes are looked through only where there is one.
pub(super) fn squatters() -> Result<Vec<LeaseRecord>, ListError> {
    look(|lock| lock.label.is_none())
}

/// Who holds the lock of a port; none where nobody does, or it cannot be known.
pub(crate) fn holder_of(transport: Transport, port: Port) -> Option<LeaseRecord> {
    let found = look(|lock| (lock.transport, lock.port) == (transport, port));
    found.inspect_err(|error| tracing::debug!(%error)).ok()?.pop()
}

/// The locks that are meant, by port, then by transport.
fn look(is_meant: impl Fn(&Lock) -> bool) -> Result<Vec<LeaseRecord>, ListError> {
    let mut found = confirmed(|| named_socket::all().map(locks))?;
    found.retain(is_meant);
    found.sort_unstable_by_key(|lock| (lock.port, lock.transport));
    Ok(with_processes(found))
}

/// How often a lock is looked at before it is said to be no lease.
const LOOKS: usize = 3;

/// The locks of a first look. The kernel lists one socket after the other: a lease may be made after
/// its label was gone by, and end before it is come to. So what seems to be none is looked at again;
/// then it has its label, or is gone.
fn confirmed<E>(mut list: impl FnMut() -> Result<Vec<Lock>, E>) -> Result<Vec<Lock>, E> {
    let mut found = list()?;
    for _ in 1..LOOKS {
        if found.iter().all(|lock| lock.label.is_some()) {
            break;
        }
        let mut again: HashMap<u64, Lock> =
            list()?.into_iter().map(|lock| (lock.inode, lock)).collect();
        found = found
            .into_iter()
            .filter_map(|lock| match lock.label {
                Some(_) => Some(lock),
                None => again.remove(&lock.inode),
            })
            .collect();
    }
    Ok(found)
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
    let mut more = HashMap::new();
    for socket in sockets {
        match socket_name::read(&socket.name) {
            Some(Meaning::Lock(transport, port)) => {
                let NamedSocket { inode, uid, .. } = socket;
                locks.push(Lock { transport, port, inode, uid, label: None });
            }
            Some(Meaning::Label(label)) => {
                // Of another user, it is no label of that lock, whatever it says.
                labels.insert((label.inode, socket.uid), label);
            }
            Some(Meaning::More { inode, index, text }) => {
                more.insert((inode, socket.uid, index), text);
            }
            None => {}
        }
    }
    // A label names the lock of its first port; the others of its run follow from that.
    let mut runs = Vec::new();
    for lock in &mut locks {
        if let Some(mut label) = labels.remove(&(lock.inode, lock.uid)) {
            let rest = (1..=u8::MAX).map_while(|index| more.remove(&(lock.inode, lock.uid, index)));
            let name = rest.fold(label.terms.name, |name, part| name + &part);
            label.terms.name = shown(&name);
            runs.push((lock.port, lock.uid, label.clone()));
            lock.label = Some(label);
        }
    }
    for lock in locks.iter_mut().filter(|lock| lock.label.is_none()) {
        let covers = |(first, uid, label): &&(Port, Option<u32>, Label)| {
            let index = lock.port.number().checked_sub(first.number());
            *uid == lock.uid
                && label.terms.protocols.contains(lock.transport)
                && index.is_some_and(|index| index < label.terms.count)
        };
        lock.label = runs.iter().find(covers).map(|(_, _, label)| label.clone());
    }
    locks
}

fn with_processes(locks: Vec<Lock>) -> Vec<LeaseRecord> {
    let inodes: HashSet<u64> = locks.iter().map(|lock| lock.inode).collect();
    let mut holders = holders_of(&inodes);
    let passwd = Passwd::read();
    let record = |lock: Lock| {
        let (processes, is_elsewhere) = holders.take(lock.inode);
        LeaseRecord {
            transport: lock.transport,
            port: lock.port,
            uid: lock.uid,
            user: lock.uid.and_then(|uid| passwd.name(uid)),
            processes,
            is_elsewhere,
            lease: lock.label.map(LeaseLabel::from),
        }
    };
    locks.into_iter().map(record).collect()
}

impl From<Label> for LeaseLabel {
    fn from(label: Label) -> Self {
        let Terms { pid, since_ms, name, .. } = label.terms;
        Self { name: super::name(name), taken_by: pid, since: super::time(since_ms) }
    }
}

#[cfg(test)]
mod tests;
