//! What a finding means, and what can be done about it, in words.

use std::io;

use ports_core::Transport;
use stats::system::{BindFacts, BindFinding, Blocks, PortSocket, State, UserNames};

use super::Attempt;
use crate::commands::who::waiting_out;
use crate::output::counted;

/// A finding in words.
pub(super) struct Advice {
    pub(super) kind: &'static str,
    pub(super) what: String,
    pub(super) todo: Option<String>,
}

/// Whether a finding is why the attempt failed.
pub(super) fn explains(finding: &BindFinding, attempt: &Attempt) -> bool {
    match (finding, attempt) {
        (BindFinding::Privileged { .. }, Attempt::Refused(error)) => {
            error.kind() == io::ErrorKind::PermissionDenied
        }
        (finding, Attempt::Refused(error)) => {
            error.kind() == io::ErrorKind::AddrInUse && finding.blocks() == Blocks::Always
        }
        (finding, Attempt::WithReuse(_)) => finding.blocks() == Blocks::WithoutReuse,
        _ => true,
    }
}

/// Says it.
pub(super) fn of(facts: &BindFacts, finding: &BindFinding, users: &UserNames) -> Advice {
    let port = facts.address.port();
    let transport = facts.transport;
    match finding {
        BindFinding::Held(socket) => held(socket, transport, port, users),
        BindFinding::Connections { time_wait, others } => connections(*time_wait, others, users),
        BindFinding::Privileged { first_unprivileged } => Advice {
            kind: "privileged",
            what: format!("ports below {first_unprivileged} need CAP_NET_BIND_SERVICE"),
            todo: Some(format!(
                "Give it to the program (setcap cap_net_bind_service+ep PROGRAM), take a port from \
                 {first_unprivileged} up, or lower net.ipv4.ip_unprivileged_port_start"
            )),
        },
        BindFinding::Ephemeral { range } => Advice {
            kind: "ephemeral",
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
            what: "it is reserved (net.ipv4.ip_local_reserved_ports): the kernel gives it to no \
                   outgoing connection"
                .to_owned(),
            todo: None,
        },
        // One that is not known yet.
        _ => Advice { kind: "other", what: "something else is in the way".to_owned(), todo: None },
    }
}

fn held(socket: &PortSocket, transport: Transport, port: u16, users: &UserNames) -> Advice {
    let who = holders(socket, users);
    let (kind, todo) = match (socket.processes.as_slice(), socket.state) {
        ([], _) => ("held", Some("Run this as root to see who it is".to_owned())),
        (_, State::Bound) => ("bound", Some(format!("End it: ports kill {port}/{transport}"))),
        (_, _) => ("held", Some(format!("End it: ports kill {port}/{transport}"))),
    };
    Advice { kind, what: format!("{} ({}) is held by {who}", socket.local, socket.state), todo }
}

fn holders(socket: &PortSocket, users: &UserNames) -> String {
    let user = socket.uid.map_or_else(
        || "an unknown user".to_owned(),
        |uid| users.name(uid).map_or_else(|| format!("user {uid}"), str::to_owned),
    );
    match socket.processes.as_slice() {
        [] => format!("a process of {user} that cannot be seen from here"),
        [(pid, name)] => format!("{name} (process {pid}) of {user}"),
        [(pid, name), more @ ..] => {
            let more = counted(more.len(), "process", "processes");
            format!("{name} (process {pid}) of {user}, and {more} more")
        }
    }
}

fn connections(time_wait: usize, others: &[PortSocket], users: &UserNames) -> Advice {
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
    let wait = if time_wait > 0 && others.is_empty() { " or wait a minute" } else { "" };
    Advice {
        kind: if others.is_empty() { "time-wait" } else { "connections" },
        what: parts.join("; "),
        todo: Some(
            format!("Set SO_REUSEADDR before bind, as servers do,{wait}")
                .trim_end_matches(',')
                .to_owned(),
        ),
    }
}
