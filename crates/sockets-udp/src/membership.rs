//! Memberships in multicast groups, and why joining or leaving can fail.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::interface::{Interface, InterfaceError};

/// A group the socket has joined, on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Membership {
    /// The group's address.
    pub group: IpAddr,
    /// The one source it was joined for; `None` for every source.
    pub source: Option<IpAddr>,
    /// The index of the interface; 0 where the kernel chose and did not tell.
    pub interface: u32,
}

/// A membership, and the interface as it was named: an interface that comes back has another index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) membership: Membership,
    pub(crate) named: Interface,
    /// The kernel has none of it: its interface went away, and joining on the one that came back
    /// failed.
    pub(crate) lapsed: bool,
}

/// What became of memberships whose interface was gone. Those that are not in it are as they were.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MembershipReport {
    /// Joined again, since there is an interface of that name or address now; with its index.
    pub rejoined: Vec<Membership>,
    /// Gone; with the index that the interface had.
    pub lost: Vec<Membership>,
    /// Kept, and tried again the next time: whether the interface is there could not be found out, or
    /// it is there and joining failed. With the index that the interface had.
    pub failed: Vec<(Membership, JoinError)>,
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
    /// The source to join the group for is not an address that somebody sends from, or not of the
    /// group's IP version.
    #[error("cannot join {group} on {interface} for {sender}: not a source of that group")]
    NotSource {
        /// The group.
        group: IpAddr,
        /// The source given.
        sender: IpAddr,
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
    /// The socket is a member already, for this source or for every source. The two do not go
    /// together: leave the one before joining the other.
    #[error("cannot join {group} on {interface}: joined already")]
    AlreadyJoined {
        /// The group.
        group: IpAddr,
        /// The interface asked for.
        interface: Interface,
    },
    /// The socket is a member on another interface, for other sources. Of an IPv6 group the kernel goes by the
    /// sources of the membership that was joined last, whatever its interface (`inet6_mc_check` in
    /// net/ipv6/mcast.c): what the other one is for would be lost.
    #[error(
        "cannot join {group} on {interface}: joined on another interface for other sources; open a \
         socket for each interface"
    )]
    OtherSources {
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
    /// The kernel refused, such as for more groups than `net.ipv4.igmp_max_memberships`, or more
    /// sources than `net.ipv4.igmp_max_msf`.
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
