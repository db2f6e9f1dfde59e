//! A lease, as a row.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use ports_lease::{HolderProcess, LeaseRecord};
use serde::Serialize;

use crate::output::{Cells, Row};

/// See docs/json-lines.md.
#[derive(Serialize)]
#[serde(tag = "type", rename = "lease")]
pub(super) struct LeaseRow {
    transport: &'static str,
    port: u16,
    lease: bool,
    name: Option<String>,
    uid: Option<u32>,
    user: Option<String>,
    taken_by: Option<u32>,
    since_ms: Option<u64>,
    processes: Vec<Process>,
}

#[derive(Serialize)]
struct Process {
    pid: u32,
    name: String,
}

impl From<HolderProcess> for Process {
    fn from(process: HolderProcess) -> Self {
        Self { pid: process.pid, name: process.name }
    }
}

impl From<LeaseRecord> for LeaseRow {
    fn from(record: LeaseRecord) -> Self {
        let LeaseRecord { transport, port, uid, user, processes, lease, .. } = record;
        let since = lease.as_ref().and_then(|lease| {
            let since = lease.since.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            u64::try_from(since.as_millis()).ok()
        });
        Self {
            transport: transport.name(),
            port: port.number(),
            lease: lease.is_some(),
            uid,
            user,
            taken_by: lease.as_ref().map(|lease| lease.taken_by),
            since_ms: since,
            name: lease.and_then(|lease| lease.name),
            processes: processes.into_iter().map(Process::from).collect(),
        }
    }
}

impl LeaseRow {
    /// The column of the table that is cut where the terminal is too narrow for it.
    pub(super) const NAME: usize = 1;

    fn pids(&self) -> String {
        self.processes.iter().map(|process| process.pid.to_string()).collect::<Vec<_>>().join(" ")
    }
}

impl Row for LeaseRow {
    const FIELDS: &'static [&'static str] = &[
        "port",
        "transport",
        "lease",
        "name",
        "uid",
        "user",
        "taken_by",
        "since_ms",
        "pids",
        "process",
    ];
    const HEADINGS: &'static [&'static str] = &["PORT", "NAME", "PID", "PROCESS", "USER", "SINCE"];

    fn fields(&self, fields: &mut Cells) {
        fields.push(self.port);
        fields.push(self.transport);
        fields.push(self.lease);
        push_or(fields, self.name.as_deref(), "");
        push_or(fields, self.uid, "");
        push_or(fields, self.user.as_deref(), "");
        push_or(fields, self.taken_by, "");
        push_or(fields, self.since_ms, "");
        fields.push(self.pids());
        push_or(fields, self.processes.first().map(|process| process.name.as_str()), "");
    }

    fn cells(&self, cells: &mut Cells) {
        cells.push(format_args!("{}/{}", self.port, self.transport));
        match (&self.name, self.lease) {
            (Some(name), _) => cells.push(name),
            (None, true) => cells.push("-"),
            (None, false) => cells.push("(no lease)"),
        }
        match self.processes.as_slice() {
            // Not to be looked into: what the lease says.
            [] => {
                push_or(cells, self.taken_by, "?");
                cells.push("?");
            }
            [process] => {
                cells.push(process.pid);
                cells.push(&process.name);
            }
            [process, more @ ..] => {
                cells.push(process.pid);
                cells.push(format_args!("{} +{}", process.name, more.len()));
            }
        }
        match (&self.user, self.uid) {
            (Some(user), _) => cells.push(user),
            (None, uid) => push_or(cells, uid, "?"),
        }
        let since = self.since_ms.and_then(|since_ms| {
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since_ms))
        });
        push_or(cells, since.map(humantime::format_rfc3339_seconds), "-");
    }
}

/// The value, or what stands for none.
fn push_or(cells: &mut Cells, value: Option<impl Display>, none: &str) {
    match value {
        Some(value) => cells.push(value),
        None => cells.push(none),
    }
}
