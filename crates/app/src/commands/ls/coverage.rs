//! What a snapshot could not show, said to the user.

use rustix::thread::{CapabilitySet, capabilities};
use stats::system::{Coverage, NoProcess, ProcessCoverage, Snapshot, SocketRow};

use crate::output::{Terminal, counted};

/// What an interrupted dump means.
pub(super) const INTERRUPTED: &str =
    "sockets came and went while the kernel told of them: some may be missing";

/// Says what is missing or uncertain in `snapshot`.
pub(super) fn tell(snapshot: &Snapshot, terminal: Terminal) {
    for text in notes(snapshot) {
        terminal.warn(&text);
    }
}

/// The same as text.
pub(in crate::commands) fn notes(snapshot: &Snapshot) -> Vec<String> {
    let coverage = snapshot.coverage();
    let mut notes = of_coverage(coverage);
    let without = |why| move |socket: &SocketRow<'_>| socket.no_process() == Some(why);
    let sockets = snapshot.iter().filter(without(NoProcess::NotPermitted)).count();
    if let Some(processes) = coverage.processes
        && sockets > 0
    {
        let sockets = counted(sockets, "socket", "sockets");
        let why = if processes.read + processes.remembered + processes.unreadable == 0 {
            // Where it is, this process is in it.
            "/proc is not mounted here".to_owned()
        } else if processes.are_hidden {
            "/proc shows the processes of other users to root only (hidepid)".to_owned()
        } else {
            why_unreadable(processes, Looker::now())
        };
        notes.push(format!("who holds {sockets} cannot be seen: {why}"));
    }
    let sockets = snapshot.iter().filter(without(NoProcess::Elsewhere)).count();
    if sockets > 0 {
        let sockets = counted(sockets, "socket", "sockets");
        notes.push(format!(
            "who holds {sockets} is not visible from this PID namespace: a process of another one, \
             the kernel itself, or one that came or went meanwhile; or a socket on its way from one \
             process to another"
        ));
    }
    notes
}

/// What is said without a look at the sockets.
fn of_coverage(coverage: Coverage) -> Vec<String> {
    let mut notes = Vec::new();
    if coverage.interrupted {
        notes.push(INTERRUPTED.to_owned());
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
    if coverage.unread_cgroups > 0 {
        let cgroups = counted(coverage.unread_cgroups, "control group", "control groups");
        notes.push(format!(
            "there are so many control groups that {cgroups}, and those below, were not read: \
             sockets of theirs are shown without"
        ));
    }
    notes
}

/// Who looks into processes.
#[derive(Clone, Copy)]
enum Looker {
    User,
    /// Root, whose capabilities may leave out that of looking into processes.
    Root {
        may_trace: bool,
    },
}

impl Looker {
    fn now() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::User;
        }
        let sets = capabilities(None);
        Self::Root {
            may_trace: sets.is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_PTRACE)),
        }
    }
}

fn why_unreadable(processes: ProcessCoverage, looker: Looker) -> String {
    let hidden = counted(processes.unreadable, "process", "processes");
    let Looker::Root { may_trace } = looker else {
        return format!("{hidden} of other users may be looked into by root only");
    };
    let which = match (processes.first_unreadable, processes.unreadable) {
        (Some(pid), 1) => format!("process {pid}"),
        (Some(pid), _) => format!("{hidden} (the first is {pid})"),
        (None, _) => hidden,
    };
    let why = if may_trace {
        "the system keeps it from that, as a security module may"
    } else {
        "CAP_SYS_PTRACE is missing"
    };
    format!("{which} may not be looked into, even by root ({why})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_is_said() {
        let mut coverage = Coverage::default();
        assert!(of_coverage(coverage).is_empty());
        coverage.unread_cgroups = 2;
        let said = of_coverage(coverage);
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("2 control groups, and those below, were not read"), "{said:?}");
        coverage.interrupted = true;
        assert_eq!(of_coverage(coverage)[0], INTERRUPTED);
    }

    #[test]
    fn root_is_told_which_process_and_why() {
        let mut processes = ProcessCoverage::default();
        (processes.unreadable, processes.first_unreadable) = (1, Some(7));
        let said = |processes, looker| why_unreadable(processes, looker);
        assert_eq!(
            said(processes, Looker::Root { may_trace: true }),
            "process 7 may not be looked into, even by root (the system keeps it from that, as a \
             security module may)"
        );
        processes.unreadable = 2;
        assert_eq!(
            said(processes, Looker::Root { may_trace: false }),
            "2 processes (the first is 7) may not be looked into, even by root (CAP_SYS_PTRACE is missing)"
        );
        assert_eq!(
            said(processes, Looker::User),
            "2 processes of other users may be looked into by root only"
        );
    }
}
