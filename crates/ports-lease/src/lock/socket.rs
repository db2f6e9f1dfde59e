//! Locks that are bound abstract UNIX sockets.

use std::io;
use std::mem;
use std::os::fd::OwnedFd;

use ports_core::{Port, Transport};
use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::socket_name::{self, Label};
use super::{NotLocked, Terms};
use crate::error::LeaseError;

/// Takes the locks of one request.
pub(crate) struct Locker {
    terms: Terms,
    /// A label, and the first lock that it speaks of, which has no name yet.
    spare: Option<(Vec<OwnedFd>, OwnedFd)>,
}

impl Locker {
    pub(crate) const fn new(terms: Terms) -> Self {
        Self { terms, spare: None }
    }

    pub(super) fn lock(
        &mut self,
        ports: impl Iterator<Item = (Transport, Port)>,
    ) -> Result<Locks, NotLocked> {
        let (label, first_lock) = match self.spare.take() {
            Some(spare) => spare,
            None => self.label()?,
        };
        let mut unused = Some(first_lock);
        let mut locks = Locks { ports: PortLocks::default(), label };
        for (transport, port) in ports {
            let name = socket_name::lock(transport, port.number());
            let failed = |source| failure(&name, source);
            let socket = match unused.take() {
                Some(socket) => socket,
                None => socket().map_err(failed)?,
            };
            if !take(&socket, &name).map_err(failed)? {
                if locks.ports.0.is_empty() {
                    // Neither has a name of this port: both serve the next try.
                    self.spare = Some((locks.label, socket));
                }
                return Err(NotLocked::Held { transport, port });
            }
            locks.ports.0.push(socket);
        }
        Ok(locks)
    }

    /// A label, with all sockets that its name takes, and the socket for the first lock that it speaks of.
    fn label(&self) -> Result<(Vec<OwnedFd>, OwnedFd), NotLocked> {
        let unnamed = |source| failure("ports-lease", source);
        let first_lock = socket().map_err(unnamed)?;
        let inode = inode(&first_lock).map_err(unnamed)?;
        let label = Label { inode, terms: self.terms.clone() };
        let mut sockets = Vec::new();
        for name in label.more_names().into_iter().chain([label.abstract_name()]) {
            let failed = |source| failure(&name, source);
            let socket = socket().map_err(failed)?;
            if !take(&socket, &name).map_err(failed)? {
                // It has the inode of our socket in it.
                return Err(failed(io::ErrorKind::AddrInUse.into()));
            }
            sockets.push(socket);
        }
        Ok((sockets, first_lock))
    }
}

fn failure(name: &str, source: io::Error) -> NotLocked {
    NotLocked::Failed(LeaseError::Lock { name: name.to_owned(), source })
}

/// The locks of a lease, and its label.
#[derive(Debug)]
pub(crate) struct Locks {
    // In this order: a lock without its label would be taken for a stranger's.
    ports: PortLocks,
    label: Vec<OwnedFd>,
}

impl Locks {
    pub(super) fn len(&self) -> usize {
        self.ports.0.len()
    }

    pub(super) fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        self.ports.0.iter().chain(&self.label).map(OwnedFd::try_clone).collect()
    }

    pub(super) fn into_descriptors(self) -> Vec<OwnedFd> {
        let Self { mut ports, label } = self;
        let mut descriptors = mem::take(&mut ports.0);
        descriptors.extend(label);
        descriptors
    }
}

/// They are let go from the last to the first, the one that the label speaks of: the others belong to
/// a lease as long as that is there. (So does Linux where a process ends: the highest descriptor goes
/// first.)
#[derive(Debug, Default)]
struct PortLocks(Vec<OwnedFd>);

impl Drop for PortLocks {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

/// A socket for a lock or a label: close-on-exec, and not listening. So nothing can be sent to it or
/// queued at it, whoever tries.
fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// The number that the kernel lists the socket under.
pub(crate) fn inode(socket: &OwnedFd) -> io::Result<u64> {
    Ok(fstat(socket)?.st_ino)
}

/// Takes an abstract name, unless somebody has it: then `false`, and the socket is as it was.
fn take(socket: &OwnedFd, name: &str) -> io::Result<bool> {
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
    match rustix::net::bind(socket, &address) {
        Ok(()) => Ok(true),
        Err(Errno::ADDRINUSE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_holder_until_it_is_closed() {
        let name = format!("ports-lease-test/{}", std::process::id());
        let (first, second) = (socket().unwrap(), socket().unwrap());
        assert!(take(&first, &name).unwrap());
        assert!(!take(&second, &name).unwrap());
        drop(first);
        // The same socket can try again.
        assert!(take(&second, &name).unwrap());
    }
}
