//! Who holds a port: its sockets, and what their processes are.

use ports_core::{Port, PortSet, Transport};

use super::{
    ProcessDetails, Query, Snapshot, SnapshotError, SocketRow, State, SystemSockets, UserNames,
    backend,
};

/// Who holds a port of this machine.
#[derive(Clone, Debug)]
pub struct Who {
    transport: Transport,
    snapshot: Snapshot,
    processes: Vec<ProcessDetails>,
}

impl Who {
    /// The sockets that hold the port: those that listen at it, those that only took it, and UDP
    /// sockets, with a peer or without.
    pub fn holders(&self) -> impl Iterator<Item = SocketRow<'_>> {
        self.snapshot.iter().filter(|row| holds_port(self.transport, row.state()))
    }

    /// The TCP connections that have the port at this end, with or without somebody who listens: those
    /// that were accepted there, and a client's that the kernel gave the port to.
    pub fn connections(&self) -> impl Iterator<Item = SocketRow<'_>> {
        self.snapshot.iter().filter(|row| !holds_port(self.transport, row.state()))
    }

    /// Whether there is no socket at all with that port.
    pub const fn is_nobody(&self) -> bool {
        self.snapshot.is_empty()
    }

    /// What the processes of [`holders`](Self::holders) are, or where there is none, those of
    /// [`connections`](Self::connections); by pid. One that has ended meanwhile is not there.
    pub fn processes(&self) -> &[ProcessDetails] {
        &self.processes
    }

    /// What a process is.
    pub fn process(&self, pid: u32) -> Option<&ProcessDetails> {
        self.processes.iter().find(|process| process.pid == pid)
    }

    /// All sockets, and what could not be seen.
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// A UDP socket holds its port whether it is connected or not; a TCP connection stands back for
/// `SO_REUSEADDR`.
pub(super) const fn holds_port(transport: Transport, state: State) -> bool {
    !matches!(transport, Transport::Tcp) || matches!(state, State::Listen | State::Bound)
}

impl SystemSockets {
    /// Who holds a port. Transports without sockets in the kernel's tables (SCTP, DCCP) have nobody.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn who(&mut self, transport: Transport, port: Port) -> Result<Who, SnapshotError> {
        let query = of_port(transport, port).processes(true).cgroups(true);
        let mut snapshot = self.snapshot(&query)?;
        if snapshot.iter().any(|row| row.inode().is_some() && row.no_process().is_some()) {
            // Its process may have ended after the kernel told of it, and before it was looked for.
            snapshot = self.snapshot(&query)?;
        }
        let is_holder = |row: &SocketRow<'_>| holds_port(transport, row.state());
        let any_holder = snapshot.iter().any(|row| is_holder(&row));
        let shown = |row: &SocketRow<'_>| !any_holder || is_holder(row);
        let holdings = snapshot.iter().filter(shown).flat_map(|row| row.holdings());
        let mut pids: Vec<u32> = holdings.map(|holding| holding.process.pid()).collect();
        pids.sort_unstable();
        pids.dedup();
        let users = UserNames::read();
        let mut processes = Vec::with_capacity(pids.len());
        for pid in pids {
            processes.extend(backend::process_details(pid, &users)?);
        }
        Ok(Who { transport, snapshot, processes })
    }
}

/// The sockets with a local port.
pub(super) fn of_port(transport: Transport, port: Port) -> Query {
    let query = match transport {
        Transport::Tcp => Query::tcp(),
        Transport::Udp => Query::udp(),
        _ => Query::none(),
    };
    query.local_ports(PortSet::from([port]))
}

impl ProcessDetails {
    /// What a process is; `None` where there is none of this number.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] where this process could not read `/proc`; what it may not read is `None`
    /// in the details.
    pub fn of(pid: u32, users: &UserNames) -> Result<Option<Self>, SnapshotError> {
        backend::process_details(pid, users)
    }
}
