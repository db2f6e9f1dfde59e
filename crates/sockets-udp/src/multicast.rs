//! Membership in multicast groups.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;

use nix::errno::Errno;
use socket2::{InterfaceIndexOrAddress, SockRef};
use stats::ErrorKind;

use crate::event::Event;
use crate::interface::{Interface, InterfaceError};
use crate::open_socket::OpenSocket;
use crate::send::Family;
use crate::socket::UdpSocket;

/// A group the socket has joined, on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The group's address.
    pub group: IpAddr,
    /// The index of the interface; 0 where the kernel chose.
    pub interface: u32,
}

/// Why a group was not joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The address is no multicast address (224.0.0.0/4, `ff00::/8`).
    #[error("cannot join {group} on {interface}: not a multicast address")]
    NotMulticast {
        /// The address given.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
    },
    /// The socket does not speak the group's IP version.
    #[error("cannot join {group} on {interface}: udp {local} is not of the same IP version")]
    FamilyMismatch {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
        /// The address of the socket.
        local: SocketAddr,
    },
    /// The socket is bound to an address of its own, where the group's datagrams do not go.
    #[error(
        "cannot join {group} on {interface}: udp {local} gets only what is sent to its own \
         address; bind to the wildcard or to the group"
    )]
    BoundElsewhere {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
        /// The address of the socket.
        local: SocketAddr,
    },
    /// The interface is not there.
    #[error("cannot join {group} on {interface}")]
    Interface {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
        /// What is wrong with it.
        #[source]
        source: InterfaceError,
    },
    /// The socket is a member already.
    #[error("cannot join {group} on {interface}: joined already")]
    AlreadyJoined {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
    },
    /// The socket is closed.
    #[error("cannot join {group} on {interface}: the socket is closed")]
    Closed {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
    },
    /// The kernel refused, such as for more groups than `net.ipv4.igmp_max_memberships`.
    #[error("cannot join {group} on {interface}")]
    Io {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Why a group was not left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The socket is no member of the group on that interface.
    #[error("cannot leave {group} on {interface}: not joined")]
    NotJoined {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
    },
    /// The interface is not there.
    #[error("cannot leave {group} on {interface}")]
    Interface {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
        /// What is wrong with it.
        #[source]
        source: InterfaceError,
    },
    /// The socket is closed, and so has left every group.
    #[error("cannot leave {group} on {interface}: the socket is closed")]
    Closed {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
    },
    /// The kernel refused.
    #[error("cannot leave {group} on {interface}")]
    Io {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl UdpSocket {
    /// Joins a multicast group on an interface: what is sent to the group and this socket's port
    /// there is received from now on.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; nothing is joined then.
    pub fn join(&self, group: IpAddr, interface: &Interface) -> Result<(), JoinError> {
        let open = self.open();
        let Some(open) = &*open else {
            return Err(JoinError::Closed { group, interface: interface.clone() });
        };
        let result = self.join_open(open, group, interface);
        match &result {
            Ok(index) => {
                self.inner.events.emit(|| Event::Joined { group, interface: *index });
            }
            Err(_) => open.account.error(ErrorKind::Multicast),
        }
        result.map(drop)
    }

    /// Leaves a group on an interface, named as it was when it was joined or in another way that
    /// means the same index.
    ///
    /// # Errors
    ///
    /// [`LeaveError`]; nothing changes then.
    pub fn leave(&self, group: IpAddr, interface: &Interface) -> Result<(), LeaveError> {
        let open = self.open();
        let Some(open) = &*open else {
            return Err(LeaveError::Closed { group, interface: interface.clone() });
        };
        let result = leave_open(open, group, interface);
        match &result {
            Ok(index) => {
                self.inner.events.emit(|| Event::Left { group, interface: *index });
            }
            Err(_) => open.account.error(ErrorKind::Multicast),
        }
        result.map(drop)
    }

    /// The groups joined, in the order they were; none once closed.
    pub fn memberships(&self) -> Vec<Membership> {
        match &*self.open() {
            Some(open) => open.memberships.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            None => Vec::new(),
        }
    }

    fn join_open(
        &self,
        open: &OpenSocket,
        group: IpAddr,
        interface: &Interface,
    ) -> Result<u32, JoinError> {
        let (local, family) = (self.inner.local, self.inner.family);
        let named = || interface.clone();
        if !group.is_multicast() {
            return Err(JoinError::NotMulticast { group, interface: named() });
        }
        let speaks = match group {
            IpAddr::V4(_) => family != Family::V6,
            IpAddr::V6(_) => family != Family::V4,
        };
        if !speaks {
            return Err(JoinError::FamilyMismatch { group, interface: named(), local });
        }
        if !local.ip().is_unspecified() && local.ip().to_canonical() != group {
            return Err(JoinError::BoundElsewhere { group, interface: named(), local });
        }
        let index = interface.index().map_err(|source| JoinError::Interface {
            group,
            interface: named(),
            source,
        })?;
        let membership = Membership { group, interface: index };
        let mut memberships = open.memberships.lock().unwrap_or_else(PoisonError::into_inner);
        if memberships.contains(&membership) {
            return Err(JoinError::AlreadyJoined { group, interface: named() });
        }
        let socket = SockRef::from(&open.socket);
        let result = match group {
            IpAddr::V4(group) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, index),
        };
        match result {
            Ok(()) => {
                memberships.push(membership);
                Ok(index)
            }
            // Joined under another name for the same interface, or by whoever opened the socket.
            Err(error) if is(&error, Errno::EADDRINUSE) => {
                Err(JoinError::AlreadyJoined { group, interface: named() })
            }
            Err(source) => Err(JoinError::Io { group, interface: named(), source }),
        }
    }
}

fn leave_open(open: &OpenSocket, group: IpAddr, interface: &Interface) -> Result<u32, LeaveError> {
    let named = || interface.clone();
    let index = interface.index().map_err(|source| LeaveError::Interface {
        group,
        interface: named(),
        source,
    })?;
    let membership = Membership { group, interface: index };
    let mut memberships = open.memberships.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(position) = memberships.iter().position(|joined| *joined == membership) else {
        return Err(LeaveError::NotJoined { group, interface: named() });
    };
    let socket = SockRef::from(&open.socket);
    let result = match group {
        IpAddr::V4(group) => {
            socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))
        }
        IpAddr::V6(group) => socket.leave_multicast_v6(&group, index),
    };
    match result {
        Ok(()) => {
            memberships.remove(position);
            Ok(index)
        }
        // The interface went away and came back, and the kernel forgot.
        Err(error) if is(&error, Errno::EADDRNOTAVAIL) || is(&error, Errno::ENODEV) => {
            memberships.remove(position);
            Err(LeaveError::NotJoined { group, interface: named() })
        }
        Err(source) => Err(LeaveError::Io { group, interface: named(), source }),
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}
