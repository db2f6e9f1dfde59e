//! Who holds what.

pub(crate) mod from_files;
#[cfg(target_os = "linux")]
pub(crate) mod from_sockets;
#[cfg(target_os = "linux")]
mod named_socket;

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ports_core::{Port, Transport};
use serde::Serialize;

use crate::error::ListError;
use crate::port_user::unseen;
use crate::process::HolderProcess;
use crate::user::InWords;

/// A port whose lock is held in this network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct LeaseRecord {
    /// The transport.
    pub transport: Transport,
    /// The port.
    pub port: Port,
    /// The user who took the lock, as the kernel tells it; Linux before 5.3 and lock files do not.
    pub uid: Option<u32>,
    /// That user's name in `/etc/passwd`.
    pub user: Option<String>,
    /// The processes that hold the lock now, by number, as far as this process may look: those of
    /// other users only with `CAP_SYS_PTRACE`, and none elsewhere than on Linux.
    pub processes: Vec<HolderProcess>,
    /// Whether there is no such process in this PID namespace, all of which was looked into: it is in
    /// another one, or has ended meanwhile.
    pub is_elsewhere: bool,
    /// What the lease says of itself. None: the name of the lock is held by a program that is no
    /// lease, and the port cannot be leased as long.
    pub lease: Option<LeaseLabel>,
}

/// What a lease says of itself, as it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct LeaseLabel {
    /// For whom, if it was said.
    pub name: Option<String>,
    /// The process that took it, in the numbers of its own process namespace. It may be gone, where it
    /// passed the lease on.
    pub taken_by: u32,
    /// When.
    pub since: SystemTime,
}

/// `` `web`, held by node (process 12) ``; or who has the name of a lock, where that is no lease.
impl fmt::Display for LeaseRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.lease.as_ref().and_then(|lease| lease.name.as_deref());
        if let Some(name) = name {
            write!(f, "`{name}`, held by ")?;
        }
        match (self.processes.as_slice(), &self.lease) {
            ([process], _) => write!(f, "{process}"),
            ([process, more @ ..], _) => write!(f, "{process} and {} more", more.len()),
            ([], lease) => {
                match lease {
                    // It may have left it to another.
                    Some(lease) => write!(f, "a process (taken by process {})", lease.taken_by)?,
                    None => f.write_str("a process")?,
                }
                if let Some(uid) = self.uid {
                    write!(f, " of {}", InWords(uid, self.user.as_deref()))?;
                }
                write!(f, ", which {}", unseen(self.is_elsewhere))
            }
        }
    }
}

/// Every port of this network namespace (of this user, elsewhere than on Linux) whose lock is held, by
/// port, then by transport. Those of a [lock directory](crate::Request::lock_directory) are not among
/// them: see [`leases_in`].
///
/// # Errors
///
/// [`ListError`] where the kernel does not tell which names are held.
pub fn leases() -> Result<Vec<LeaseRecord>, ListError> {
    #[cfg(target_os = "linux")]
    return from_sockets::all();
    #[cfg(not(target_os = "linux"))]
    match crate::lock::file::of_user() {
        Some(directory) => from_files::all(&directory),
        None => Ok(Vec::new()),
    }
}

/// Every port whose lock file in this directory is held, by port, then by transport; none where there
/// is no such directory.
///
/// # Errors
///
/// [`ListError`] where the directory or a file of it cannot be read.
pub fn leases_in(directory: impl AsRef<Path>) -> Result<Vec<LeaseRecord>, ListError> {
    from_files::all(directory.as_ref())
}

/// Every port of this network namespace whose lock is held by a program that is no lease, by port, then
/// by transport. Processes are looked through only where there is one. Elsewhere than on Linux there is
/// none.
///
/// # Errors
///
/// [`ListError`] where the kernel does not tell which names are held.
pub fn squatters() -> Result<Vec<LeaseRecord>, ListError> {
    #[cfg(target_os = "linux")]
    return from_sockets::squatters();
    #[cfg(not(target_os = "linux"))]
    Ok(Vec::new())
}

/// A label's time: milliseconds since 1970.
fn time(since_ms: u64) -> SystemTime {
    // Any number of milliseconds is a time on Linux; a liar's might not be elsewhere.
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(since_ms))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn name(name: String) -> Option<String> {
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_plain_data() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let record = LeaseRecord {
            transport: Transport::Tcp,
            port: Port::new(8080),
            uid: Some(1000),
            user: None,
            processes: vec![HolderProcess { pid: 5, name: "node".to_owned() }],
            is_elsewhere: false,
            lease: Some(LeaseLabel { name: Some("web".to_owned()), taken_by: 5, since }),
        };
        assert_eq!(
            serde_json::to_value(&record).unwrap(),
            serde_json::json!({
                "transport": "tcp",
                "port": 8080,
                "uid": 1000,
                "user": null,
                "processes": [{"pid": 5, "name": "node"}],
                "is_elsewhere": false,
                "lease": {
                    "name": "web",
                    "taken_by": 5,
                    "since": {"secs_since_epoch": 1, "nanos_since_epoch": 0},
                },
            })
        );
    }

    #[test]
    fn records_say_who() {
        let record = |processes: &[(u32, &str)], name: Option<&str>, is_lease: bool| {
            let process = |&(pid, name): &(u32, &str)| HolderProcess { pid, name: name.to_owned() };
            let label = LeaseLabel {
                name: name.map(str::to_owned),
                taken_by: 5,
                since: SystemTime::UNIX_EPOCH,
            };
            let record = LeaseRecord {
                transport: Transport::Tcp,
                port: Port::new(8080),
                uid: Some(1000),
                user: None,
                processes: processes.iter().map(process).collect(),
                is_elsewhere: !is_lease,
                lease: is_lease.then_some(label),
            };
            record.to_string()
        };
        assert_eq!(record(&[(5, "node")], Some("web"), true), "`web`, held by node (process 5)");
        assert_eq!(record(&[(5, "sh"), (6, "node")], None, true), "sh (process 5) and 1 more");
        assert_eq!(
            record(&[], Some("web"), true),
            "`web`, held by a process (taken by process 5) of user 1000, which may not be looked into"
        );
        assert_eq!(
            record(&[], None, false),
            "a process of user 1000, which is not visible from this PID namespace"
        );
    }
}
