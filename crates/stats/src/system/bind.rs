//! Whether a port can be bound, and what stands in the way.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ports_core::{Port, PortRange, PortSet, Transport};

use super::who::{holds_port, of_port};
use super::{NoProcess, SnapshotError, SocketRow, State, SystemSockets, backend};

/// What is known of a port before it is bound: gathered by [`SystemSockets::bind_facts`], judged by
/// [`findings`](Self::findings).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindFacts {
    /// The transport.
    pub transport: Transport,
    /// The address that is to be bound, with its port.
    pub address: SocketAddr,
    /// The sockets with that local port, at whatever address.
    pub sockets: Vec<PortSocket>,
    /// What the system says of ports.
    pub rules: PortRules,
}

/// What the system says of ports (ip(7), "/proc interfaces").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRules {
    /// Those below it need `CAP_NET_BIND_SERVICE` (`ip_unprivileged_port_start`).
    pub first_unprivileged: Port,
    /// Whether this process has that capability.
    pub is_privileged: bool,
    /// Where the kernel takes ports for connections from (`ip_local_port_range`).
    pub ephemeral: PortRange,
    /// Ports that it does not take there (`ip_local_reserved_ports`).
    pub reserved: PortSet,
    /// Whether `[::]` leaves IPv4 alone, unless the program says otherwise (`net.ipv6.bindv6only`).
    pub ipv6_only: bool,
}

/// A socket that has the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSocket {
    /// Its address and port here.
    pub local: SocketAddr,
    /// The peer's, where it has one.
    pub peer: Option<SocketAddr>,
    /// Its state.
    pub state: State,
    /// Whose it is, where the kernel tells.
    pub uid: Option<u32>,
    /// Of an IPv6 socket, where the kernel tells: whether it leaves IPv4 alone.
    pub only_ipv6: Option<bool>,
    /// Number and name of each process that has it, and can be seen.
    pub processes: Vec<(u32, String)>,
    /// Why no process can be seen, where none can.
    pub no_process: Option<NoProcess>,
    /// The control groups that it was made in and that its processes are in, each once, its own first: what
    /// [`Workload::of_path`](super::Workload::of_path) reads.
    pub cgroups: Vec<String>,
}

/// Something to know before a port is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindFinding {
    /// A socket has the port, at the same address or one that includes it.
    Held(PortSocket),
    /// Connections have the port, in these states: `bind` goes past them with `SO_REUSEADDR` only,
    /// which servers set.
    Connections {
        /// Those that are over and wait out their time.
        time_wait: usize,
        /// All others.
        others: Vec<PortSocket>,
    },
    /// The port is below the first that everybody may bind, and this process is not privileged.
    Privileged {
        /// The first that everybody may bind.
        first_unprivileged: Port,
    },
    /// The kernel gives ports of this range to outgoing connections: any of them may take it while
    /// nobody has it.
    Ephemeral {
        /// The range.
        range: PortRange,
    },
    /// The kernel gives the port to no outgoing connection, whatever its range of ports for these
    /// (`ip_local_reserved_ports`): kept for somebody who binds it by number.
    Reserved,
}

/// When a finding keeps `bind` from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocks {
    /// It does not; it is good to know.
    Never,
    /// Where the socket does not set `SO_REUSEADDR`.
    WithoutReuse,
    /// Unless this socket and all others at the port set `SO_REUSEADDR`, or all set `SO_REUSEPORT`. Which
    /// of these those others have set, the kernel does not tell.
    UnlessAllReuse,
    /// Always, or, of sockets that listen, unless all of them set `SO_REUSEPORT`.
    Always,
}

impl BindFinding {
    /// When it keeps `bind` from working.
    pub const fn blocks(&self) -> Blocks {
        match self {
            // No two of them listen at one port by `SO_REUSEADDR` (`inet_csk_get_port`,
            // `udp_lib_get_port`).
            Self::Held(PortSocket { state: State::Listen, .. }) | Self::Privileged { .. } => {
                Blocks::Always
            }
            Self::Held(_) => Blocks::UnlessAllReuse,
            Self::Connections { .. } => Blocks::WithoutReuse,
            Self::Ephemeral { .. } | Self::Reserved => Blocks::Never,
        }
    }
}

impl BindFacts {
    /// What stands in the way, the worst first. Judged from the facts alone; only a real `bind`
    /// knows what holds a moment later.
    pub fn findings(&self) -> Vec<BindFinding> {
        let mut findings = Vec::new();
        let port = Port::new(self.address.port());
        let rules = &self.rules;
        if port < rules.first_unprivileged && !rules.is_privileged && port != Port::ANY {
            let first_unprivileged = rules.first_unprivileged;
            findings.push(BindFinding::Privileged { first_unprivileged });
        }
        let in_the_way = self
            .sockets
            .iter()
            .filter(|socket| collide(self.address.ip(), rules.ipv6_only, socket))
            .cloned();
        let (held, connections): (Vec<_>, Vec<_>) =
            in_the_way.partition(|socket| holds_port(self.transport, socket.state));
        findings.extend(held.into_iter().map(BindFinding::Held));
        if !connections.is_empty() {
            let (over, others): (Vec<_>, Vec<_>) =
                connections.into_iter().partition(|socket| socket.state == State::TimeWait);
            findings.push(BindFinding::Connections { time_wait: over.len(), others });
        }
        if rules.reserved.contains(port) {
            findings.push(BindFinding::Reserved);
        } else if rules.ephemeral.contains(port) {
            findings.push(BindFinding::Ephemeral { range: rules.ephemeral });
        }
        findings
    }
}

/// Whether Linux refuses to bind `wanted` because of `socket` (`inet_rcv_saddr_equal`): the same
/// address, or one of them all addresses; an IPv6 wildcard covers IPv4 unless it says otherwise. The
/// one that is to be bound says nothing: `ipv6_only` is the system's default.
fn collide(wanted: IpAddr, ipv6_only: bool, socket: &PortSocket) -> bool {
    let held = socket.local.ip().to_canonical();
    let wanted = wanted.to_canonical();
    match (wanted, held) {
        (IpAddr::V4(_), IpAddr::V6(_)) => held.is_unspecified() && socket.only_ipv6 != Some(true),
        (IpAddr::V6(_), IpAddr::V4(_)) => wanted.is_unspecified() && !ipv6_only,
        _ => wanted == held || wanted.is_unspecified() || held.is_unspecified(),
    }
}

impl SystemSockets {
    /// What is to be known before `address` is bound. Nothing is bound.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn bind_facts(
        &mut self,
        transport: Transport,
        address: SocketAddr,
    ) -> Result<BindFacts, SnapshotError> {
        let query = of_port(transport, address.port().into()).processes(true).cgroups(true);
        let snapshot = self.snapshot(&query)?;
        let mut cgroups = HashMap::new();
        for process in snapshot.processes() {
            cgroups.insert(process.pid(), backend::process_cgroup(process.pid())?);
        }
        let sockets = snapshot.iter().filter_map(|row| PortSocket::of(row, &cgroups)).collect();
        Ok(BindFacts { transport, address, sockets, rules: backend::port_rules()? })
    }
}

impl PortSocket {
    /// With the control groups of processes by their numbers.
    fn of(row: SocketRow<'_>, of_processes: &HashMap<u32, Option<String>>) -> Option<Self> {
        let mut processes: Vec<(u32, String)> = row
            .holdings()
            .map(|holding| (holding.process.pid(), holding.process.name().to_owned()))
            .collect();
        processes.dedup();
        let theirs = processes.iter().filter_map(|(pid, _)| of_processes.get(pid)?.as_deref());
        let mut cgroups: Vec<String> = Vec::new();
        for cgroup in row.cgroup_path().into_iter().chain(theirs) {
            if !cgroups.iter().any(|known| known == cgroup) {
                cgroups.push(cgroup.to_owned());
            }
        }
        Some(Self {
            local: row.local_addr()?,
            peer: row.peer_addr(),
            state: row.state(),
            uid: row.uid(),
            only_ipv6: row.only_ipv6(),
            processes,
            no_process: row.no_process(),
            cgroups,
        })
    }
}

#[cfg(test)]
mod tests;
