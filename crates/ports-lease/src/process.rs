//! Which processes have a socket open.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

/// A process that has a socket open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct HolderProcess {
    /// Its number.
    pub pid: u32,
    /// The name of its program, as the kernel has it: 15 bytes at most (`comm` of proc(5)).
    pub name: String,
}

/// `node (process 1234)`.
impl fmt::Display for HolderProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// Who has which sockets open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Holders {
    by_inode: HashMap<u64, Vec<HolderProcess>>,
    /// Whether all processes of this PID namespace were looked into.
    all_seen: bool,
}

impl Holders {
    /// The processes that have a socket open, by number; and where there is none, whether it is sure that
    /// there is none in this PID namespace.
    pub(crate) fn take(&mut self, inode: u64) -> (Vec<HolderProcess>, bool) {
        let processes = self.by_inode.remove(&inode).unwrap_or_default();
        let is_elsewhere = processes.is_empty() && self.all_seen;
        (processes, is_elsewhere)
    }
}

/// The processes that have each of these sockets open, as far as this process may look. A process that
/// ends meanwhile is none.
pub(crate) fn holders_of(inodes: &HashSet<u64>) -> Holders {
    let mut holders = Holders::default();
    if inodes.is_empty() {
        return holders;
    }
    let pids = pids();
    // There is always a first one; where it is not listed, others may not be either (`hidepid`).
    holders.all_seen = pids.contains(&INIT);
    for pid in pids {
        let Some(sockets) = sockets_of(pid) else {
            holders.all_seen = false;
            continue;
        };
        let open: HashSet<u64> =
            sockets.into_iter().filter(|inode| inodes.contains(inode)).collect();
        if open.is_empty() {
            continue;
        }
        let Ok(name) = fs::read_to_string(format!("/proc/{pid}/comm")) else { continue };
        let process = HolderProcess { pid, name: name.trim_end().to_owned() };
        for inode in open {
            holders.by_inode.entry(inode).or_default().push(process.clone());
        }
    }
    for processes in holders.by_inode.values_mut() {
        processes.sort_unstable_by_key(|process| process.pid);
    }
    holders
}

/// The first process of every PID namespace.
const INIT: u32 = 1;

fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Each descriptor of a process that is a socket, by inode. `None` where they may not be seen: those of
/// another user's process.
fn sockets_of(pid: u32) -> Option<Vec<u64>> {
    let entries = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        // It has ended.
        Err(_) => return Some(Vec::new()),
    };
    let mut sockets = Vec::new();
    for entry in entries {
        match entry.and_then(|entry| fs::read_link(entry.path())) {
            Ok(target) => sockets.extend(inode_of(&target)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
            // Closed meanwhile.
            Err(_) => {}
        }
    }
    Some(sockets)
}

/// `socket:[12345]`.
fn inode_of(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::lock::socket::inode as inode_of_socket;

    #[test]
    fn this_process_has_its_sockets() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let inode = inode_of_socket(&socket.into()).unwrap();
        // Closed by now: nobody has it.
        assert_eq!(holders_of(&HashSet::from([inode])).take(inode).0, []);

        let open = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        let inode = inode_of_socket(&open).unwrap();
        let (processes, is_elsewhere) = holders_of(&HashSet::from([inode])).take(inode);
        assert!(processes.iter().any(|process| process.pid == std::process::id()));
        assert!(!is_elsewhere);
    }

    #[test]
    fn only_who_sees_all_knows_that_it_is_nobody_there() {
        let mut holders = Holders::default();
        assert_eq!(holders.take(7), (Vec::new(), false));
        holders.all_seen = true;
        assert_eq!(holders.take(7), (Vec::new(), true));
    }

    #[test]
    fn only_sockets_have_inodes() {
        assert_eq!(inode_of(Path::new("socket:[12345]")), Some(12345));
        for other in ["pipe:[12345]", "socket:[]", "/dev/null", "anon_inode:[eventpoll]"] {
            assert_eq!(inode_of(Path::new(other)), None);
        }
    }
}
