//! `ports who`: who holds a port of this machine, and why that runs.

mod elsewhere;
mod row;

use ports_core::Transport;
use ports_lease::LeaseRecord;
use stats::system::{NoProcess, SocketRow, State, SystemSockets, UserNames, Who};

pub(super) use self::elsewhere::elsewhere;
use self::row::HolderLine;
use super::leases::leases_of;
use super::ls::notes;
use crate::args::WhoArgs;
use crate::exit::Exit;
use crate::output::{RowOutputs, Terminal, counted};

pub(crate) fn run(args: &WhoArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let rows = RowOutputs::open::<HolderLine<'_>>(&args.output, terminal.stdout()?)?;
    let mut rows = rows.unfolding();
    let users = UserNames::read();
    let mut sockets = SystemSockets::new();
    let mut exit = Exit::No;
    let mut over = Vec::new();
    let mut missing = Vec::new();
    for held in args.port.iter() {
        for transport in held.transports() {
            let who = sockets.who(*transport, held.port)?;
            for socket in shown(&who) {
                exit = Exit::Done;
                for line in HolderLine::all(socket, &who, &users) {
                    rows.write(&line)?;
                }
            }
            over.extend(remains(&who, *transport));
            // One may hold for both transports.
            for note in notes(who.snapshot()) {
                if !missing.contains(&note) {
                    missing.push(note);
                }
            }
        }
    }
    for text in missing {
        terminal.warn(&text);
    }
    rows.finish()?;
    if exit == Exit::No {
        terminal.warn(&format!("nobody holds {}", args.port));
        if let Some(text) = elsewhere() {
            terminal.warn(&text);
        }
        for held in args.port.iter() {
            for record in leases_of(held.transports(), held.port, terminal) {
                let LeaseRecord { transport, port, .. } = &record;
                terminal.warn(&format!("{transport} port {port} is leased by {record}"));
            }
        }
    }
    for text in over {
        terminal.note(&text);
    }
    Ok(exit)
}

/// Who waits at the port, or else who has connections there.
fn shown(who: &Who) -> Vec<SocketRow<'_>> {
    let holders: Vec<_> = who.holders().collect();
    if holders.is_empty() {
        who.connections().filter(|row| is_held(row)).collect()
    } else {
        holders
    }
}

/// Whether a process has it: what the kernel finishes by itself is nobody's.
fn is_held(socket: &SocketRow<'_>) -> bool {
    socket.no_process() != Some(NoProcess::Released)
}

/// What is at the port beside those that are shown.
fn remains(who: &Who, transport: Transport) -> Option<String> {
    let has_holder = who.holders().next().is_some();
    let connections =
        who.connections().filter(|row| has_holder || !is_held(row)).collect::<Vec<_>>();
    let waiting = connections.iter().filter(|row| row.state() == State::TimeWait).count();
    let others = connections.len() - waiting;
    let mut parts = Vec::new();
    if others > 0 {
        let connections = counted(others, "connection", "connections");
        parts.push(format!("{transport}: {connections} at this port"));
    }
    if waiting > 0 {
        parts.push(format!("{transport}: {}", waiting_out(waiting)));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Connections in TIME-WAIT, said.
pub(in crate::commands) fn waiting_out(connections: usize) -> String {
    let many = counted(connections, "ended connection waits", "ended connections wait");
    format!("{many} out {} time (TIME-WAIT)", if connections == 1 { "its" } else { "their" })
}
