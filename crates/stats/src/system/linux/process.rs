//! What a process is, read from `/proc/PID`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::CWD;

use super::stat::Stat;
use crate::system::process::{Parent, ProcessDetails};
use crate::system::{SnapshotError, UserNames};

/// More parents than any chain has: a guard against one that changes while it is read.
const MOST_PARENTS: usize = 64;

/// The details of a process; `None` where it has ended.
pub(in crate::system) fn details(
    pid: u32,
    users: &UserNames,
) -> Result<Option<ProcessDetails>, SnapshotError> {
    let directory = PathBuf::from(format!("/proc/{pid}"));
    let Some(stat) = stat(pid)? else { return Ok(None) };
    let uid = uid(pid)?;
    let command = optional(fs::read(directory.join("cmdline")), &directory)?.unwrap_or_default();
    let program = optional(fs::read_link(directory.join("exe")), &directory)?;
    Ok(Some(ProcessDetails {
        pid,
        name: stat.name.into(),
        start_ticks: stat.started,
        started: boot_time().and_then(|boot| boot.checked_add(since_boot(stat.started))),
        command: words(&command),
        program,
        uid,
        user: uid.and_then(|uid| users.name(uid)).map(str::to_owned),
        cgroup: cgroup(pid)?,
        parents: parents(stat.parent)?,
    }))
}

/// The user that a process acts as; `None` where it has ended.
pub(in crate::system) fn uid(pid: u32) -> Result<Option<u32>, SnapshotError> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let status = optional(fs::read(&path), &path)?.unwrap_or_default();
    Ok(field(&status, "Uid:").as_deref().and_then(effective_uid))
}

/// The cgroup of a process, as in [`ProcessDetails::cgroup`].
pub(in crate::system) fn cgroup(pid: u32) -> Result<Option<String>, SnapshotError> {
    let path = PathBuf::from(format!("/proc/{pid}/cgroup"));
    let text = optional(fs::read(&path), &path)?.unwrap_or_default();
    Ok(cgroup_of(&String::from_utf8_lossy(&text)))
}

fn stat(pid: u32) -> Result<Option<Stat>, SnapshotError> {
    let path = format!("/proc/{pid}/stat");
    Stat::read(CWD, &path)
        .map_err(|error| SnapshotError::ReadProc { path: path.into(), source: error.into() })
}

fn parents(first: u32) -> Result<Vec<Parent>, SnapshotError> {
    let mut chain = Vec::new();
    let mut pid = first;
    // The first process has none: its parent is number 0, as is one outside of this PID namespace.
    while pid != 0 && chain.len() < MOST_PARENTS {
        let Some(stat) = stat(pid)? else { break };
        chain.push(Parent { pid, name: stat.name.into() });
        pid = stat.parent;
    }
    Ok(chain)
}

/// What may not be read, and what is gone, is none; that this process cannot read is an error.
fn optional<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, SnapshotError> {
    use io::ErrorKind::{NotFound, PermissionDenied};
    let is_gone = |error: &io::Error| {
        matches!(error.kind(), NotFound | PermissionDenied)
            || rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::SRCH)
    };
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(source) => Err(SnapshotError::ReadProc { path: path.to_owned(), source }),
    }
}

/// What follows `name` on its line.
pub(super) fn field(text: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// Real, effective, saved, of the file system.
fn effective_uid(uids: &str) -> Option<u32> {
    uids.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Words that end in zero bytes; a process that wrote its own title may leave many at the end.
fn words(command: &[u8]) -> Vec<String> {
    let end = command.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if end == 0 {
        return Vec::new();
    }
    let words = command[..end].split(|byte| *byte == 0);
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Lines of `number:controllers:path`; version 2 has the number 0 and no controllers.
fn cgroup_of(text: &str) -> Option<String> {
    let lines = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let of = |wanted: &str| {
        lines().find(|(name, path)| *name == wanted && *path != "/").map(|(_, path)| path)
    };
    let longest = || lines().map(|(_, path)| path).max_by_key(|path| path.len());
    of("").or_else(|| of("name=systemd")).or_else(longest).map(str::to_owned)
}

/// When the machine started.
fn boot_time() -> Option<SystemTime> {
    let seconds = field(&fs::read("/proc/stat").ok()?, "btime ")?.parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn since_boot(ticks: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_secs_f64(ticks as f64 / per_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_described() {
        let pid = std::process::id();
        let details = details(pid, &UserNames::read()).unwrap().unwrap();
        assert_eq!(details.uid, Some(rustix::process::geteuid().as_raw()));
        assert_eq!(details.program, std::env::current_exe().ok());
        assert_eq!(details.command, std::env::args().collect::<Vec<_>>());
        assert_eq!(details.parents[0].pid, std::os::unix::process::parent_id());
        assert!(details.started.unwrap() < SystemTime::now());
    }

    #[test]
    fn a_process_that_is_gone_has_no_details() {
        assert_eq!(details(u32::MAX, &UserNames::default()).unwrap(), None);
    }

    #[test]
    fn command_lines_end_where_their_words_do() {
        assert_eq!(words(b"nginx: worker\0\0\0\0"), ["nginx: worker"]);
        assert_eq!(words(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(words(b""), [""; 0]);
    }

    #[test]
    fn the_cgroup_that_says_most_is_taken() {
        let hybrid = "9:name=systemd:/system.slice/a.service\n4:memory:/x\n0::/\n";
        assert_eq!(cgroup_of(hybrid).as_deref(), Some("/system.slice/a.service"));
        assert_eq!(cgroup_of("0::/user.slice\n").as_deref(), Some("/user.slice"));
        assert_eq!(cgroup_of("4:memory:/x:y\n0::/\n").as_deref(), Some("/x:y"));
        assert_eq!(cgroup_of("garbage"), None);
    }
}
