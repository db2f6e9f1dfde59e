//! What a finding means, and what can be done about it, in words.

use std::io;

use ports_core::Transport;
use stats::system::{
    BindFacts, BindFinding, Blocks, NoProcess, PortProcess, PortSocket, State, UserNames,
};

use super::Attempt;
use super::place::socket_place;
use crate::commands::keeper::{Keeper, is_docker_proxy, published};
use crate::commands::who::waiting_out;
use crate::output::counted;

/// The first process of the machine, or of the container.
const INIT: u32 = 1;

/// A finding in words.
pub(super) struct Advice {
    pub(super) kind: &'static str,
    pub(super) blocks: Blocks,
    pub(super) what: String,
    pub(super) todo: Option<String>,
}

/// Whether a finding is why the attempt failed.
pub(super) fn explains(finding: &BindFinding, attempt: &Attempt) -> bool {
    match (finding, attempt) {
        (BindFinding::Privileged { .. }, Attempt::Refused(error)) => {
            error.kind() == io::ErrorKind::PermissionDenied
        }
        (finding, Attempt::Refused(_) | Attempt::Ipv6Alone { .. }) => {
            attempt.is_in_use() && finding.blocks() >= Blocks::UnlessAllReuse
        }
        (finding, Attempt::WithReuse(_)) => {
            matches!(finding.blocks(), Blocks::WithoutReuse | Blocks::UnlessAllReuse)
        }
        _ => true,
    }
}

/// Whether connections are why even `SO_REUSEADDR` does not help: the kernel lets a port go past them
/// only where their sockets had set it, too.
pub(super) fn connections_insist(findings: &[BindFinding], attempt: &Attempt) -> bool {
    attempt.is_in_use()
        && findings.iter().all(|finding| finding.blocks() < Blocks::UnlessAllReuse)
        && findings.iter().any(|finding| matches!(finding, BindFinding::Connections { .. }))
}

/// Who has it in IPv4, with the verb, by what was found at `[::]`.
pub(super) fn in_ipv4(findings: &[BindFinding]) -> String {
    let mut held = findings.iter().filter_map(|finding| match finding {
        BindFinding::Held(socket) if socket.local.ip().to_canonical().is_ipv4() => Some(socket),
        _ => None,
    });
    let at = |socket: &PortSocket| socket_place(socket.local, socket.interface);
    match (held.next(), held.count()) {
        (Some(first), 0) => format!("{} ({}) has", at(first), first.state),
        (Some(first), more) => {
            let more = counted(more, "other", "others");
            format!("{} ({}) and {more} have", at(first), first.state)
        }
        (None, _) if findings.iter().any(|it| matches!(it, BindFinding::Connections { .. })) => {
            "connections have".to_owned()
        }
        (None, _) => "somebody has".to_owned(),
    }
}

/// Says it. `insist`: see [`connections_insist`].
pub(super) fn of(
    facts: &BindFacts,
    finding: &BindFinding,
    users: &UserNames,
    insist: bool,
) -> Advice {
    let port = facts.address.port();
    let transport = facts.transport;
    let blocks = finding.blocks();
    match finding {
        BindFinding::Held(socket) => Advice { blocks, ..held(socket, transport, port, users) },
        BindFinding::Connections { time_wait, others } => {
            connections(*time_wait, others, users, insist)
        }
        BindFinding::Privileged { first_unprivileged } => Advice {
            kind: "privileged",
            blocks,
            what: format!("ports below {first_unprivileged} need CAP_NET_BIND_SERVICE"),
            todo: Some(format!(
                "Give it to the program (setcap cap_net_bind_service+ep PROGRAM), take a port from \
                 {first_unprivileged} up, or lower net.ipv4.ip_unprivileged_port_start"
            )),
        },
        BindFinding::Ephemeral { range } => Advice {
            kind: "ephemeral",
            blocks,
            what: format!(
                "the kernel gives the ports {range} to outgoing connections: one of them may have \
                 it when you want it"
            ),
            todo: Some(format!(
                "Take a port outside of that range, or reserve it: \
                 sysctl -w net.ipv4.ip_local_reserved_ports={port} (with those that are there)"
            )),
        },
        BindFinding::Reserved => Advice {
            kind: "reserved",
            blocks,
            what: "it is reserved (net.ipv4.ip_local_reserved_ports): the kernel gives it to no \
                   outgoing connection"
                .to_owned(),
            todo: None,
        },
        // One that is not known yet.
        _ => {
            let what = "something else is in the way".to_owned();
            Advice { kind: "other", blocks, what, todo: None }
        }
    }
}

fn held(socket: &PortSocket, transport: Transport, port: u16, users: &UserNames) -> Advice {
    let who = holders(socket, users);
    let keepers = Keeper::all(socket.cgroups.iter().map(String::as_str));
    let kind = if socket.state == State::Bound { "bound" } else { "held" };
    let todo = match (socket.processes.as_slice(), socket.state) {
        ([], _) => where_to_look(socket).to_owned(),
        // `kill` ends who waits for whoever comes, and this one has its peer.
        ([PortProcess { pid, .. }, ..], State::Established) if transport == Transport::Tcp => {
            format!("End process {pid}")
        }
        (processes, _) if processes.iter().any(|process| is_docker_proxy(&process.name)) => {
            format!("Stop the container that has it: {}", published(port))
        }
        (_, _) if !keepers.is_empty() => kept_up(&keepers),
        // Which it spares.
        (processes, _) if processes.iter().any(|process| process.pid == INIT) => {
            format!("End it and all that depends on it: ports kill --force {port}/{transport}")
        }
        (_, _) => {
            let beside = match transport {
                // Trying that would take a datagram from whoever has the port.
                Transport::Udp => {
                    "; or set SO_REUSEADDR, as its socket may have done, too: both have the port then, \
                     and get what is sent to a group"
                }
                _ => "",
            };
            format!("End it: ports kill {port}/{transport}{beside}")
        }
    };
    let place = socket_place(socket.local, socket.interface);
    let what = format!("{place} ({}) is held by {who}", socket.state);
    Advice { kind, blocks: Blocks::Always, what, todo: Some(todo) }
}

/// Whoever is started again has the port again.
fn kept_up(keepers: &[Keeper]) -> String {
    let names = Keeper::names(keepers);
    match Keeper::stop(keepers) {
        Some(command) => format!("It is of {names}, to be stopped by: {command}"),
        None => format!("It is of {names}, which may start it again: stop that"),
    }
}

/// Where a holder is seen that is not seen here.
fn where_to_look(socket: &PortSocket) -> &'static str {
    match socket.no_process {
        Some(NoProcess::Elsewhere) => "Run this outside of this container to see who it is",
        _ if rustix::process::geteuid().is_root() => {
            "Run this as root with all capabilities, outside of containers, to see who it is"
        }
        _ => "Run this as root, outside of containers, to see who it is",
    }
}

fn holders(socket: &PortSocket, users: &UserNames) -> String {
    let user = socket.uid.map_or_else(|| "an unknown user".to_owned(), |uid| users.in_words(uid));
    match socket.processes.as_slice() {
        // All of this PID namespace was looked into.
        [] if socket.no_process == Some(NoProcess::Elsewhere) => {
            format!(
                "somebody of {user} who is not visible from this PID namespace: a process of \
                 another one, or the kernel itself; or the socket is on its way from one process to \
                 another"
            )
        }
        [] => format!("a process of {user} that may not be looked into from here"),
        [PortProcess { pid, name, uid }, more @ ..] => {
            // The socket's user is who made it.
            let user = uid.map_or(user, |uid| users.in_words(uid));
            let first = format!("{name} (process {pid}) of {user}");
            if more.is_empty() {
                return first;
            }
            let more = counted(more.len(), "process", "processes");
            format!("{first}, and {more} more")
        }
    }
}

fn connections(time_wait: usize, others: &[PortSocket], users: &UserNames, insist: bool) -> Advice {
    let mut parts = Vec::new();
    if time_wait > 0 {
        parts.push(waiting_out(time_wait));
    }
    if let Some(first) = others.first() {
        let peer = first.peer.map(|peer| format!(" to {peer}")).unwrap_or_default();
        let by = if first.processes.is_empty() {
            String::new()
        } else {
            format!(", {}", holders(first, users))
        };
        let more = match others.len() {
            1 => String::new(),
            len => format!(" and {}", counted(len - 1, "other", "others")),
        };
        parts.push(format!("a connection has it ({}{peer}{by}){more}", first.state));
    }
    let is_over = others.is_empty();
    let todo = match (insist, is_over) {
        (false, false) => "Set SO_REUSEADDR before bind, as servers do",
        (false, true) => "Set SO_REUSEADDR before bind, as servers do, or wait a minute",
        (true, true) => {
            "Wait a minute: whoever had it had not set SO_REUSEADDR, so yours does not help"
        }
        (true, false) => "End whoever has it: he has not set SO_REUSEADDR, so yours does not help",
    };
    Advice {
        kind: if is_over { "time-wait" } else { "connections" },
        blocks: if insist { Blocks::Always } else { Blocks::WithoutReuse },
        what: parts.join("; "),
        todo: Some(todo.to_owned()),
    }
}
