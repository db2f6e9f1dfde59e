//! Whether a port can be bound, and what stands in the way.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ports_core::{Port, PortRange, PortSet, Transport};

use super::who::{holds_port, of_port};
use super::{Holding, NoProcess, SnapshotError, SocketRow, State, SystemSockets, backend};

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
    /// The index of the interface that it is bound to, where it is (`SO_BINDTODEVICE`, or a link-local
    /// address).
    pub interface: Option<u32>,
    /// Its state.
    pub state: State,
    /// Whose it is, where the kernel tells.
    pub uid: Option<u32>,
    /// Of an IPv6 socket, where the kernel tells: whether it leaves IPv4 alone.
    pub only_ipv6: Option<bool>,
    /// The processes that have it, and can be seen.
    pub processes: Vec<PortProcess>,
    /// Why no process can be seen, where none can.
    pub no_process: Option<NoProcess>,
    /// The control groups that it was made in and that its processes are in, each once, its own first: what
    /// [`Workload::of_path`](super::Workload::of_path) reads.
    pub cgroups: Vec<String>,
}

/// A process that has such a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortProcess {
    /// Its number.
    pub pid: u32,
    /// Its short name.
    pub name: String,
    /// The user that it acts as, which need not be the one that made the socket: many a service begins
    /// as root. `None` where it has ended meanwhile.
    pub uid: Option<u32>,
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
        let in_the_way = self.sockets.iter().filter(|socket| self.collides(socket)).cloned();
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

/// Where the kernel has an IPv6 socket with one address and a peer among those of IPv4, which it looks
/// through for conflicts, too (`LOOPBACK4_IPV6` in `include/net/ipv6.h`).
const IPV6_AMONG_IPV4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

impl BindFacts {
    /// Whether Linux refuses to bind the address because of `socket` (`inet_bind_conflict`,
    /// `inet_rcv_saddr_equal`): the same address, or one of them all addresses, unless both are bound to
    /// interfaces that differ. An IPv6 wildcard covers IPv4 unless it says otherwise. The one that is to
    /// be bound says nothing: what holds then is the system's default.
    fn collides(&self, socket: &PortSocket) -> bool {
        if socket.interface.is_some_and(|other| self.interface().is_some_and(|own| own != other)) {
            return false;
        }
        let held = socket.local.ip().to_canonical();
        let wanted = self.address.ip().to_canonical();
        match (wanted, held) {
            (IpAddr::V4(wanted), IpAddr::V6(held)) if !held.is_unspecified() => {
                // What was bound to one address of IPv6 leaves IPv4 alone, what was connected from all
                // of them, or accepted there, does not.
                socket.peer.is_some()
                    && self.takes_ipv4(socket)
                    && (wanted.is_unspecified() || wanted == IPV6_AMONG_IPV4)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => socket.only_ipv6 != Some(true),
            (IpAddr::V6(_), IpAddr::V4(_)) => wanted.is_unspecified() && !self.rules.ipv6_only,
            _ => wanted == held || wanted.is_unspecified() || held.is_unspecified(),
        }
    }

    /// The interface that the address is of: the kernel binds the socket to it.
    const fn interface(&self) -> Option<u32> {
        match self.address {
            SocketAddr::V6(address) if address.scope_id() != 0 => Some(address.scope_id()),
            _ => None,
        }
    }

    /// Whether an IPv6 connection takes IPv4, too, as far as can be known: the kernel tells it only of
    /// sockets that listen, and what they accept has it from them.
    fn takes_ipv4(&self, connection: &PortSocket) -> bool {
        let at_all = self.sockets.iter().filter(|socket| socket.local.ip().is_unspecified());
        let mut told = at_all.filter_map(|socket| socket.only_ipv6).peekable();
        let leaves_ipv4 = told.peek().is_some() && told.all(|only_ipv6| only_ipv6);
        !connection.only_ipv6.unwrap_or(leaves_ipv4)
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
        let mut about = HashMap::new();
        for process in snapshot.processes() {
            let pid = process.pid();
            about.insert(pid, (backend::process_uid(pid)?, backend::process_cgroup(pid)?));
        }
        let sockets = snapshot.iter().filter_map(|row| PortSocket::of(row, &about)).collect();
        Ok(BindFacts { transport, address, sockets, rules: backend::port_rules()? })
    }
}

impl PortSocket {
    /// With the users and control groups of processes, by their numbers.
    fn of(row: SocketRow<'_>, about: &HashMap<u32, (Option<u32>, Option<String>)>) -> Option<Self> {
        let mut processes: Vec<PortProcess> = row
            .holdings()
            .map(|Holding { process, .. }| PortProcess {
                pid: process.pid(),
                name: process.name().to_owned(),
                uid: about.get(&process.pid()).and_then(|(uid, _)| *uid),
            })
            .collect();
        processes.dedup();
        let theirs = processes.iter().filter_map(|process| about.get(&process.pid)?.1.as_deref());
        let mut cgroups: Vec<String> = Vec::new();
        for cgroup in row.cgroup_path().into_iter().chain(theirs) {
            if !cgroups.iter().any(|known| known == cgroup) {
                cgroups.push(cgroup.to_owned());
            }
        }
        Some(Self {
            local: row.local_addr()?,
            peer: row.peer_addr(),
            interface: row.interface(),
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
