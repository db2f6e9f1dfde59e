//! What a snapshot could not show, said to the user.

use stats::system::{NoProcess, Snapshot};

use crate::output::Terminal;

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
            "sockets came and went while the kernel told of them: some may be missing, or be \
             there twice"
                .to_owned(),
        );
    }
    if coverage.from_proc {
        notes.push(
            "netlink was refused: read from /proc/net, which has fewer sockets and tells less"
                .to_owned(),
        );
    }
    if coverage.malformed > 0 {
        notes.push(format!("{} sockets could not be understood", coverage.malformed));
    }
    let hidden = coverage.processes.map_or(0, |processes| processes.unreadable);
    if hidden > 0 {
        let sockets = snapshot
            .iter()
            .filter(|socket| socket.no_process() == Some(NoProcess::NotPermitted))
            .count();
        if sockets > 0 {
            notes.push(format!(
                "of {sockets} sockets the process cannot be seen: {hidden} processes of other users \
                 may be looked into by root only"
            ));
        }
    }
    notes
}
