//! Which processes have a socket open.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::Path;

/// A process that has a socket open.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The processes that have each of these sockets open, by number, as far as this process may look.
/// A process that ends meanwhile is none.
pub(crate) fn holders_of(inodes: &HashSet<u64>) -> HashMap<u64, Vec<HolderProcess>> {
    let mut holders: HashMap<u64, Vec<HolderProcess>> = HashMap::new();
    if inodes.is_empty() {
        return holders;
    }
    for pid in pids() {
        let open: HashSet<u64> =
            sockets_of(pid).into_iter().filter(|inode| inodes.contains(inode)).collect();
        if open.is_empty() {
            continue;
        }
        let Ok(name) = fs::read_to_string(format!("/proc/{pid}/comm")) else { continue };
        let process = HolderProcess { pid, name: name.trim_end().to_owned() };
        for inode in open {
            holders.entry(inode).or_default().push(process.clone());
        }
    }
    for processes in holders.values_mut() {
        processes.sort_unstable_by_key(|process| process.pid);
    }
    holders
}

fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Each descriptor of a process that is a socket, by inode. Of another user's, none can be seen.
fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|target| inode_of(&target))
        .collect()
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
        assert_eq!(holders_of(&HashSet::from([inode])), HashMap::new());

        let open = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        let inode = inode_of_socket(&open).unwrap();
        let holders = holders_of(&HashSet::from([inode]));
        assert!(holders[&inode].iter().any(|process| process.pid == std::process::id()));
    }

    #[test]
    fn only_sockets_have_inodes() {
        assert_eq!(inode_of(Path::new("socket:[12345]")), Some(12345));
        for other in ["pipe:[12345]", "socket:[]", "/dev/null", "anon_inode:[eventpoll]"] {
            assert_eq!(inode_of(Path::new(other)), None);
        }
    }
}
