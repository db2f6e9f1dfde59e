//! The processes that hold sockets.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;

/// A process that holds a socket, as far as a list needs it; [`ProcessDetails`] is the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub(super) pid: u32,
    pub(super) name: Box<str>,
}

impl Process {
    /// Its number.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Its short name, up to 15 bytes, as it was when its descriptors were read.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A process and the descriptor that it has a socket by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding<'a> {
    /// The process.
    pub process: &'a Process,
    /// The descriptor's number there.
    pub descriptor: u32,
}

/// What a process is, and why it runs. What may not be read of another user's process is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProcessDetails {
    /// Its number.
    pub pid: u32,
    /// Its short name.
    pub name: String,
    /// When it began, in clock ticks since the machine did: with the pid it names one process.
    pub start_ticks: u64,
    /// When it began.
    pub started: Option<SystemTime>,
    /// The words it was started with, or has put in their place; empty for the kernel's own.
    pub command: Vec<String>,
    /// The program. Where its file is gone since, the path ends in ` (deleted)`.
    pub program: Option<PathBuf>,
    /// The user it acts as (its effective uid).
    pub uid: Option<u32>,
    /// That user's name in `/etc/passwd`. Other directories of users are not asked.
    pub user: Option<String>,
    /// Its cgroup: that of version 2, or where it has none the one of the named hierarchy of
    /// systemd, or else the longest.
    pub cgroup: Option<String>,
    /// Who started it, who started that one, and so on, up to the first process that can be seen.
    pub parents: Vec<Parent>,
}

impl ProcessDetails {
    /// The container or systemd unit that its cgroup names.
    pub fn workload(&self) -> Option<super::Workload<'_>> {
        self.cgroup.as_deref().and_then(super::Workload::of_path)
    }
}

/// One of the processes that a process comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Parent {
    /// Its number.
    pub pid: u32,
    /// Its short name.
    pub name: String,
}
