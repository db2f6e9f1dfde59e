//! What a snapshot could not show, said to the user.

use stats::system::{NoProcess, Snapshot, SocketRow};

use crate::output::{Terminal, counted};

/// Says what is missing or uncertain in `snapshot`.
pub(in crate::commands) fn tell(snapshot: &Snapshot, terminal: Terminal) {
    for text in notes(snapshot) {
        terminal.warn(&text);
    }
}

fn notes(snapshot: &Snapshot) -> Vec<String> {
    let coverage = snapshot.coverage();
    let mut notes = Vec::new();
    if coverage.interrupted {
        notes.push(
            "sockets came and went while the kernel told of them: some may be missing".to_owned(),
        );
    }
    if coverage.from_proc {
        notes.push(
            "netlink was refused: read from /proc/net, which has fewer sockets and tells less"
                .to_owned(),
        );
    }
    if coverage.malformed > 0 {
        let sockets = counted(coverage.malformed, "socket", "sockets");
        notes.push(format!("{sockets} could not be understood"));
    }
    let without = |why| move |socket: &SocketRow<'_>| socket.no_process() == Some(why);
    let sockets = snapshot.iter().filter(without(NoProcess::NotPermitted)).count();
    if let Some(processes) = coverage.processes
        && sockets > 0
    {
        let sockets = counted(sockets, "socket", "sockets");
        let why = if processes.are_hidden {
            "/proc shows the processes of other users to root only (hidepid)".to_owned()
        } else {
            let hidden = counted(processes.unreadable, "process", "processes");
            if rustix::process::geteuid().is_root() {
                format!("{hidden} may not be looked into, even by root (CAP_SYS_PTRACE is missing)")
            } else {
                format!("{hidden} of other users may be looked into by root only")
            }
        };
        notes.push(format!("who holds {sockets} cannot be seen: {why}"));
    }
    let sockets = snapshot.iter().filter(without(NoProcess::Elsewhere)).count();
    if sockets > 0 {
        let sockets = counted(sockets, "socket", "sockets");
        notes.push(format!(
            "who holds {sockets} is not visible from this PID namespace: a process of another one, \
             the kernel itself, or one that came or went meanwhile"
        ));
    }
    notes
}
