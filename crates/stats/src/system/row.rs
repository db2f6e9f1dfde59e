//! One socket of the machine: as it is kept, and as it is read.

use std::net::SocketAddr;
use std::time::Duration;

use super::address::Address;
use super::workload::Workload;
use super::{Details, Holding, NoProcess, Protocol, Snapshot, State, Traffic};

/// What a snapshot keeps of a socket: plain numbers, so that 100,000 of them take no allocation
/// of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) protocol: Protocol,
    pub(super) state: State,
    pub(super) timer: u8,
    pub(super) retransmits: u8,
    pub(super) only_ipv6: Option<bool>,
    /// Unspecified for a UNIX socket.
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) interface: u32,
    pub(super) uid: u32,
    pub(super) inode: u64,
    pub(super) cookie: u64,
    pub(super) cgroup: u64,
    /// Or [`Row::NONE`].
    pub(super) receive_queue: u32,
    /// Or [`Row::NONE`].
    pub(super) send_queue: u32,
    pub(super) expires: u32,
    /// Index of its [`Traffic`], or [`Row::NONE`].
    pub(super) traffic: u32,
    /// Index of its [`Details`], or [`Row::NONE`].
    pub(super) details: u32,
    /// Index of its names, of a UNIX socket, or [`Row::NONE`].
    pub(super) unix: u32,
    /// Which [`Holding`]s of the snapshot are its own.
    pub(super) holdings: (u32, u32),
}

impl Row {
    /// No index, no user, no number told.
    pub(super) const NONE: u32 = u32::MAX;

    pub(super) const fn new(
        protocol: Protocol,
        state: State,
        ends: (SocketAddr, SocketAddr),
    ) -> Self {
        Self {
            protocol,
            state,
            timer: 0,
            retransmits: 0,
            only_ipv6: None,
            local: ends.0,
            peer: ends.1,
            interface: 0,
            uid: Self::NONE,
            inode: 0,
            cookie: 0,
            cgroup: 0,
            receive_queue: Self::NONE,
            send_queue: Self::NONE,
            expires: 0,
            traffic: Self::NONE,
            details: Self::NONE,
            unix: Self::NONE,
            holdings: (0, 0),
        }
    }

    /// The other end, where it has one.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        (self.peer.port() != 0 || !self.peer.ip().is_unspecified()).then_some(self.peer)
    }

    /// Whether it is one end of a TCP connection.
    pub(super) const fn is_connection(&self) -> bool {
        matches!(self.protocol, Protocol::Tcp) && self.peer.port() != 0
    }

    /// Whether it is what the kernel keeps of a connection that is over (`struct
    /// inet_timewait_sock`).
    pub(super) const fn is_remnant(&self) -> bool {
        self.is_connection()
            && self.inode == 0
            && matches!(self.state, State::TimeWait | State::FinWait2)
    }

    /// Sockets in these states belong to nobody any more, and the kernel then tells user 0.
    pub(super) const fn forget_user_of_nobody(&mut self) {
        if self.inode == 0 && self.uid == 0 {
            self.uid = Self::NONE;
        }
    }
}

/// What a timer of a TCP socket waits for (`idiag_timer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// An acknowledgement, or else a retransmission.
    Retransmission,
    /// A keep-alive probe.
    KeepAlive,
    /// The end of TIME-WAIT.
    TimeWait,
    /// A probe of the peer's closed window.
    Probe,
}

impl Timer {
    const fn from_kernel(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Retransmission),
            2 => Some(Self::KeepAlive),
            3 => Some(Self::TimeWait),
            4 => Some(Self::Probe),
            _ => None,
        }
    }
}

/// One socket of a [`Snapshot`]. Cheap to copy; what it borrows is the snapshot. To keep it, or to
/// serialize it: [`SocketRecord::of`](super::SocketRecord::of).
#[derive(Clone, Copy, Debug)]
pub struct SocketRow<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) row: &'a Row,
}

impl<'a> SocketRow<'a> {
    /// What it speaks.
    pub const fn protocol(&self) -> Protocol {
        self.row.protocol
    }

    /// Its state.
    pub const fn state(&self) -> State {
        self.row.state
    }

    /// Its local address, or the name of a UNIX socket.
    pub fn local(&self) -> Address<'a> {
        match self.snapshot.unix_names(self.row) {
            Some(names) => Address::Unix(names.local(self.snapshot)),
            None => Address::Ip(self.row.local),
        }
    }

    /// The peer's; `None` where it has none.
    pub fn peer(&self) -> Option<Address<'a>> {
        match self.snapshot.unix_names(self.row) {
            Some(names) => names.peer(self.snapshot).map(Address::Unix),
            None => self.peer_addr().map(Address::Ip),
        }
    }

    /// Its local address, of a socket that is no UNIX socket.
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        if self.row.protocol.is_unix() { None } else { Some(self.row.local) }
    }

    /// The peer's address, where it has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.row.peer()
    }

    /// The index of the interface that it is bound to, where it is.
    pub fn interface(&self) -> Option<u32> {
        Some(self.row.interface).filter(|interface| *interface != 0)
    }

    /// The user it belongs to. `None` where the kernel does not tell: a UNIX socket read from
    /// `/proc`, or a connection that no process has any more.
    pub fn uid(&self) -> Option<u32> {
        Some(self.row.uid).filter(|uid| *uid != Row::NONE)
    }

    /// The number that `/proc/PID/fd` shows. `None` where no process has, or can have, the socket:
    /// TIME-WAIT, a connection not accepted yet, one that was closed and is being finished by the
    /// kernel.
    pub fn inode(&self) -> Option<u64> {
        Some(self.row.inode).filter(|inode| *inode != 0)
    }

    /// A number of its own for as long as the machine is up, and no other socket's after it. Not
    /// told by `/proc`.
    pub fn cookie(&self) -> Option<u64> {
        Some(self.row.cookie).filter(|cookie| *cookie != 0)
    }

    /// The number of the cgroup (version 2) that it was made in, where the kernel tells.
    pub fn cgroup(&self) -> Option<u64> {
        Some(self.row.cgroup).filter(|cgroup| *cgroup != 0)
    }

    /// The path of that cgroup, below the mount: `/system.slice/ssh.service`. `None` unless
    /// [`Query::cgroups`](super::Query::cgroups) asked for it and it is still there.
    pub fn cgroup_path(&self) -> Option<&'a str> {
        self.snapshot.cgroup_path(self.cgroup()?)
    }

    /// Whether there is no path because its cgroup may be one of those that were not read
    /// ([`Coverage::unread_cgroups`](super::Coverage::unread_cgroups)).
    pub fn is_cgroup_unread(&self) -> bool {
        self.snapshot.coverage().unread_cgroups > 0
            && self.cgroup().is_some()
            && self.cgroup_path().is_none()
    }

    /// The container or systemd unit that the path names, where it names one.
    pub fn workload(&self) -> Option<Workload<'a>> {
        self.cgroup_path().and_then(Workload::of_path)
    }

    /// Bytes that the process has not read; while it listens, connections that wait for `accept`.
    /// `None` of a UNIX socket read from `/proc`, which does not tell.
    pub fn receive_queue(&self) -> Option<u32> {
        Some(self.row.receive_queue).filter(|queue| *queue != Row::NONE)
    }

    /// Bytes that are not sent, or not acknowledged; while it listens, how many connections may
    /// wait. `None` where it was read from `/proc` and is a UNIX socket or listens: that is not told
    /// there.
    pub fn send_queue(&self) -> Option<u32> {
        Some(self.row.send_queue).filter(|queue| *queue != Row::NONE)
    }

    /// How often the segment that is waited for has been sent again.
    pub const fn retransmits(&self) -> u8 {
        self.row.retransmits
    }

    /// What its timer waits for, and how long still.
    pub fn timer(&self) -> Option<(Timer, Duration)> {
        let left = Duration::from_millis(self.row.expires.into());
        Timer::from_kernel(self.row.timer).map(|timer| (timer, left))
    }

    /// Of an IPv6 socket, where the kernel tells: whether it takes no IPv4 (`IPV6_V6ONLY`).
    pub const fn only_ipv6(&self) -> Option<bool> {
        self.row.only_ipv6
    }

    /// Who holds it, by process and descriptor. Empty unless
    /// [`Query::processes`](super::Query::processes) asked for it; [`no_process`](Self::no_process)
    /// says why else.
    pub fn holdings(&self) -> impl ExactSizeIterator<Item = Holding<'a>> + use<'a> {
        let snapshot = self.snapshot;
        let (first, end) = self.row.holdings;
        (first..end).map(move |index| snapshot.holding(index))
    }

    /// Why [`holdings`](Self::holdings) is empty; `None` where it is not.
    pub fn no_process(&self) -> Option<NoProcess> {
        let (first, end) = self.row.holdings;
        if first < end {
            return None;
        }
        Some(match self.snapshot.coverage().processes {
            None => NoProcess::NotAsked,
            Some(_) if self.row.inode == 0 => NoProcess::Released,
            Some(processes) if processes.unreadable > 0 || processes.are_hidden => {
                NoProcess::NotPermitted
            }
            Some(_) => NoProcess::Elsewhere,
        })
    }

    /// What a TCP socket has moved so far; `None` unless [`Query::traffic`](super::Query::traffic) or
    /// [`Query::details`](super::Query::details) asked, and of one that listens or that nobody has any
    /// more.
    pub fn traffic(&self) -> Option<Traffic> {
        self.snapshot.traffic(self.row)
    }

    /// What only details tell; `None` unless [`Query::details`](super::Query::details) asked.
    pub fn details(&self) -> Option<&'a Details> {
        self.snapshot.details(self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_that_was_not_read_is_told() {
        let mut snapshot = Snapshot::new();
        let end = SocketAddr::from(([127, 0, 0, 1], 80));
        for cgroup in [0, 7] {
            let row = Row::new(Protocol::Tcp, State::Listen, (end, end));
            snapshot.rows.push(Row { cgroup, ..row });
        }
        let unread = |snapshot: &Snapshot| -> Vec<bool> {
            snapshot.iter().map(|row| row.is_cgroup_unread()).collect()
        };
        assert_eq!(unread(&snapshot), [false, false]);
        snapshot.coverage.unread_cgroups = 1;
        assert_eq!(unread(&snapshot), [false, true]);
    }
}
