//! Joining and leaving multicast groups.

use std::io;
use std::net::IpAddr;
use std::sync::{MutexGuard, PoisonError};

use nix::errno::Errno;
use socket2::{InterfaceIndexOrAddress, SockRef};
use stats::ErrorKind;

use crate::event::Event;
use crate::interface::{Interface, InterfaceError};
use crate::membership::{JoinError, Joined, LeaveError, Membership};
use crate::multicast_route;
use crate::open_socket::OpenSocket;
use crate::send::Family;
use crate::socket::UdpSocket;

impl UdpSocket {
    /// Joins a multicast group on an interface: what is sent to the group and this socket's port
    /// there, by whomever, is received from now on. It may be joined on several; what comes to others
    /// is not received.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; nothing is joined then.
    pub fn join(&self, group: IpAddr, interface: &Interface) -> Result<(), JoinError> {
        self.join_reported(group, None, interface)
    }

    /// As [`join`](Self::join), for what `source` sends only (RFC 4607). Call it for each source;
    /// 232.0.0.0/8 and `ff3x::/32` are the groups meant for this, but any will do. On several interfaces an
    /// IPv6 group can be joined for the same one source only: [`JoinError::OtherSources`].
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    pub fn join_source(
        &self,
        group: IpAddr,
        source: IpAddr,
        interface: &Interface,
    ) -> Result<(), JoinError> {
        self.join_reported(group, Some(source), interface)
    }

    /// Leaves a group on an interface, named as it was when it was joined or in another way that
    /// means the same index.
    ///
    /// # Errors
    ///
    /// [`LeaveError`]; nothing changes then.
    pub fn leave(&self, group: IpAddr, interface: &Interface) -> Result<(), LeaveError> {
        self.leave_reported(group, None, interface)
    }

    /// Gives up one source of a group, as it was joined by [`join_source`](Self::join_source).
    ///
    /// # Errors
    ///
    /// As [`leave`](Self::leave).
    pub fn leave_source(
        &self,
        group: IpAddr,
        source: IpAddr,
        interface: &Interface,
    ) -> Result<(), LeaveError> {
        self.leave_reported(group, Some(source), interface)
    }

    /// The groups joined, in the order they were; none once closed. A membership stays in this
    /// list when its interface goes away, until [`refresh_memberships`](Self::refresh_memberships)
    /// looks, and while that cannot join it again.
    pub fn memberships(&self) -> Vec<Membership> {
        match &*self.open() {
            Some(open) => open.joined().iter().map(|joined| joined.membership).collect(),
            None => Vec::new(),
        }
    }

    fn join_reported(
        &self,
        group: IpAddr,
        source: Option<IpAddr>,
        interface: &Interface,
    ) -> Result<(), JoinError> {
        let closed = || JoinError::Closed { group, interface: interface.clone() };
        if self.is_closed() {
            return Err(closed());
        }
        let checked = self.check_join(group, source, interface);
        let open = self.open();
        let Some(open) = &*open else { return Err(closed()) };
        let result = checked.and_then(|membership| join_open(open, membership, interface));
        match &result {
            Ok(index) => {
                self.inner.events.emit(|| Event::Joined { group, source, interface: *index });
            }
            Err(_) => open.account.error(ErrorKind::Multicast),
        }
        result.map(drop)
    }

    fn leave_reported(
        &self,
        group: IpAddr,
        source: Option<IpAddr>,
        interface: &Interface,
    ) -> Result<(), LeaveError> {
        let named = || interface.clone();
        let closed = || LeaveError::Closed { group, interface: named() };
        if self.is_closed() {
            return Err(closed());
        }
        let index = interface.index().map_err(|source| LeaveError::Interface {
            group,
            interface: named(),
            source,
        });
        let open = self.open();
        let Some(open) = &*open else { return Err(closed()) };
        let result = index.and_then(|interface| {
            leave_open(open, Membership { group, source, interface }, &named())
        });
        match &result {
            Ok(index) => {
                self.inner.events.emit(|| Event::Left { group, source, interface: *index });
            }
            Err(_) => open.account.error(ErrorKind::Multicast),
        }
        result.map(drop)
    }

    /// The membership that is asked for, found before the socket is held.
    fn check_join(
        &self,
        group: IpAddr,
        source: Option<IpAddr>,
        interface: &Interface,
    ) -> Result<Membership, JoinError> {
        let (local, family) = (self.inner.local, self.inner.family);
        let named = || interface.clone();
        if !group.is_multicast() {
            return Err(JoinError::NotMulticast { group, interface: named() });
        }
        if let Some(sender) = source.filter(|sender| !can_send(*sender, group)) {
            return Err(JoinError::NotSource { group, sender, interface: named() });
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
        let index = joined_on(group, interface).map_err(|source| JoinError::Interface {
            group,
            interface: named(),
            source,
        })?;
        Ok(Membership { group, source, interface: index })
    }
}

impl OpenSocket {
    /// Whether this socket joined the group that a datagram was sent to on the interface it came to. IPv4's
    /// kernel looks at both (`ip_mc_sf_allow` in net/ipv4/igmp.c), IPv6's at the group alone (`inet6_mc_check`
    /// in net/ipv6/mcast.c): where anybody on this machine joined it on another interface, what comes there is
    /// handed out, too. Of a group that is not known here the socket was a member when it was handed in.
    pub(crate) fn hears(&self, destination: Option<IpAddr>, link: u32) -> bool {
        match destination {
            Some(group @ IpAddr::V6(ip)) if ip.is_multicast() => self.is_joined(group, link),
            _ => true,
        }
    }

    fn is_joined(&self, group: IpAddr, link: u32) -> bool {
        let joined = self.joined();
        let mut of_group =
            joined.iter().filter(|joined| joined.membership.group == group).peekable();
        of_group.peek().is_none()
            || of_group.any(|joined| {
                let on = joined.membership.interface;
                !joined.lapsed && (on == link || on == 0 || link == 0)
            })
    }

    pub(crate) fn joined(&self) -> MutexGuard<'_, Vec<Joined>> {
        self.memberships.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of the interface to join a group on. For [`Interface::Default`] that is the one which the
/// kernel would choose, by its index, so that it is known where the group is joined; 0, and with it the
/// choice, is left to the kernel where it does not tell.
pub(crate) fn joined_on(group: IpAddr, interface: &Interface) -> Result<u32, InterfaceError> {
    match interface {
        Interface::Default => Ok(multicast_route::interface_of(group).unwrap_or(0)),
        named => named.index(),
    }
}

/// Whether datagrams to the group can come from that address.
fn can_send(source: IpAddr, group: IpAddr) -> bool {
    let broadcast = source == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    source.is_ipv4() == group.is_ipv4()
        && !source.is_multicast()
        && !source.is_unspecified()
        && !broadcast
}

pub(crate) fn join_group(open: &OpenSocket, membership: Membership) -> io::Result<()> {
    let socket = SockRef::from(&open.socket);
    let Membership { group, source, interface } = membership;
    match (group, source) {
        (_, Some(source)) => sockets_sys::join_source(&open.socket, group, source, interface),
        (IpAddr::V4(group), None) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))
        }
        (IpAddr::V6(group), None) => socket.join_multicast_v6(&group, interface),
    }
}

pub(crate) fn leave_group(open: &OpenSocket, membership: Membership) -> io::Result<()> {
    let socket = SockRef::from(&open.socket);
    let Membership { group, source, interface } = membership;
    match (group, source) {
        (_, Some(source)) => sockets_sys::leave_source(&open.socket, group, source, interface),
        (IpAddr::V4(group), None) => {
            socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))
        }
        (IpAddr::V6(group), None) => socket.leave_multicast_v6(&group, interface),
    }
}

/// Joins, and keeps the membership; the index it was joined on.
fn join_open(
    open: &OpenSocket,
    membership: Membership,
    named: &Interface,
) -> Result<u32, JoinError> {
    let Membership { group, source, interface: index } = membership;
    let mut joined = open.joined();
    // The kernel would turn a membership for every source into one for this source only.
    let taken = joined.iter().filter(|joined| !joined.lapsed).any(|joined| {
        let other = joined.membership;
        (other.group, other.interface) == (group, index)
            && (other.source == source || other.source.is_none() || source.is_none())
    });
    if taken {
        return Err(JoinError::AlreadyJoined { group, interface: named.clone() });
    }
    if mixes_sources(&joined, membership) {
        return Err(JoinError::OtherSources { group, interface: named.clone() });
    }
    join_group(open, membership).map_err(|error| join_error(error, membership, named))?;
    // What was to be tried again is done by this.
    joined.retain(|other| {
        let same = (other.membership.group, other.membership.source) == (group, source);
        !(other.lapsed && same && other.named == *named)
    });
    joined.push(Joined { membership, named: named.clone(), lapsed: false });
    Ok(index)
}

/// Whether an IPv6 group would be joined on two interfaces for different sources.
fn mixes_sources(joined: &[Joined], new: Membership) -> bool {
    let of_group = || {
        let live = joined.iter().filter(|joined| !joined.lapsed).map(|joined| joined.membership);
        live.filter(|other| other.group == new.group)
    };
    let on = |link| of_group().filter(move |other| other.interface == link).map(|it| it.source);
    let wanted = || on(new.interface).chain([new.source]);
    new.group.is_ipv6()
        && of_group().filter(|other| other.interface != new.interface).any(|other| {
            let same = wanted().all(|source| on(other.interface).any(|there| there == source));
            !same || on(other.interface).count() != wanted().count()
        })
}

/// Why the kernel did not join a group.
pub(crate) fn join_error(error: io::Error, membership: Membership, named: &Interface) -> JoinError {
    let Membership { group, source, .. } = membership;
    let interface = named.clone();
    // Joined by whoever opened the socket; of a source the kernel says so otherwise.
    let joined =
        is(&error, Errno::EADDRINUSE) || source.is_some() && is(&error, Errno::EADDRNOTAVAIL);
    if joined {
        JoinError::AlreadyJoined { group, interface }
    } else {
        JoinError::Io { group, interface, source: error }
    }
}

/// Leaves, and forgets the membership; the index it was joined on.
fn leave_open(
    open: &OpenSocket,
    wanted: Membership,
    interface: &Interface,
) -> Result<u32, LeaveError> {
    let named = || interface.clone();
    let group = wanted.group;
    let mut joined = open.joined();
    let is_meant = |joined: &Joined| {
        let membership = joined.membership;
        let there = match interface {
            named if joined.lapsed => joined.named == *named,
            Interface::Default => joined.named == Interface::Default,
            _ => membership.interface == wanted.interface,
        };
        there && (membership.group, membership.source) == (group, wanted.source)
    };
    let Some(position) = joined.iter().position(is_meant) else {
        return Err(LeaveError::NotJoined { group, interface: named() });
    };
    let Joined { membership, lapsed, .. } = &joined[position];
    let (membership, lapsed) = (*membership, *lapsed);
    let result = if lapsed { Ok(()) } else { leave_group(open, membership) };
    match result {
        Ok(()) => {
            joined.remove(position);
            Ok(membership.interface)
        }
        // The interface went away and came back, and the kernel forgot.
        Err(error) if is(&error, Errno::EADDRNOTAVAIL) || is(&error, Errno::ENODEV) => {
            joined.remove(position);
            Err(LeaveError::NotJoined { group, interface: named() })
        }
        Err(source) => Err(LeaveError::Io { group, interface: named(), source }),
    }
}

pub(crate) fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}
