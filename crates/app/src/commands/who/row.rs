//! A socket and one process that holds it, as a row.

use std::time::SystemTime;

use serde::Serialize;
use stats::system::{
    Address, NoProcess, Parent, ProcessDetails, SocketRow, UserNames, Who, Workload,
};

use crate::commands::keeper::quoted;
use crate::commands::ls::{no_process, shown};
use crate::output::{Cells, Row};

/// See docs/json-lines.md. A socket of several processes has a row for each.
#[derive(Serialize)]
#[serde(tag = "type", rename = "socket")]
pub(super) struct HolderLine<'a> {
    transport: &'static str,
    #[serde(serialize_with = "shown")]
    local: Address<'a>,
    peer: Option<String>,
    state: &'static str,
    uid: Option<u32>,
    user: Option<&'a str>,
    inode: Option<u64>,
    /// One, or none where it cannot be seen: a list as in `ports ls`.
    processes: Vec<Holder<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_process: Option<&'static str>,
    #[serde(skip)]
    why: Option<NoProcess>,
    workload: Option<Workload<'a>>,
}

/// A process that holds it. What may not be read of another user's is `null`.
#[derive(Serialize)]
struct Holder<'a> {
    pid: u32,
    name: &'a str,
    command: Option<&'a [String]>,
    program: Option<String>,
    uid: Option<u32>,
    user: Option<&'a str>,
    started_ms: Option<u64>,
    #[serde(skip)]
    started: Option<SystemTime>,
    workload: Option<Workload<'a>>,
    parents: &'a [Parent],
}

impl<'a> HolderLine<'a> {
    pub(super) fn all(socket: SocketRow<'a>, who: &'a Who, users: &'a UserNames) -> Vec<Self> {
        let mut holders: Vec<Holder<'a>> = Vec::new();
        for holding in socket.holdings() {
            let (pid, name) = (holding.process.pid(), holding.process.name());
            if holders.last().is_none_or(|before| before.pid != pid) {
                holders.push(Holder::new(pid, name, who.process(pid)));
            }
        }
        let line = |processes| Self {
            transport: socket.protocol().name(),
            local: socket.local(),
            peer: socket.peer().map(|peer| peer.to_string()),
            state: socket.state().name(),
            uid: socket.uid(),
            user: socket.uid().and_then(|uid| users.name(uid)),
            inode: socket.inode(),
            processes,
            no_process: socket.no_process().and_then(no_process),
            why: socket.no_process(),
            workload: socket.workload(),
        };
        if holders.is_empty() {
            return vec![line(Vec::new())];
        }
        holders.into_iter().map(|holder| line(vec![holder])).collect()
    }
}

impl<'a> Holder<'a> {
    fn new(pid: u32, name: &'a str, details: Option<&'a ProcessDetails>) -> Self {
        let started = details.and_then(|details| details.started);
        Self {
            pid,
            name,
            command: details.map(|details| details.command.as_slice()),
            program: details
                .and_then(|details| details.program.as_ref())
                .map(|program| program.display().to_string()),
            uid: details.and_then(|details| details.uid),
            user: details.and_then(|details| details.user.as_deref()),
            started_ms: started.and_then(millis),
            started,
            workload: details.and_then(ProcessDetails::workload),
            parents: details.map_or(&[], |details| details.parents.as_slice()),
        }
    }

    /// `bash 4120 < systemd 1`: who started it, who started that one, and so on.
    fn chain(&self) -> String {
        let parents = self.parents.iter();
        parents
            .map(|Parent { pid, name, .. }| format!("{name} {pid}"))
            .collect::<Vec<_>>()
            .join(" < ")
    }

    fn command_line(&self) -> String {
        match self.command {
            None => "?".to_owned(),
            // The kernel's own threads have none.
            Some([]) => format!("[{}]", self.name),
            Some(words) => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
        }
    }
}

fn millis(time: SystemTime) -> Option<u64> {
    u64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis()).ok()
}

impl Row for HolderLine<'_> {
    const FIELDS: &'static [&'static str] = &[
        "transport",
        "local",
        "peer",
        "state",
        "uid",
        "user",
        "inode",
        "pid",
        "process",
        "started_ms",
        "workload",
        "parents",
        "command",
    ];
    const HEADINGS: &'static [&'static str] = &[
        "PROTO",
        "LOCAL",
        "STATE",
        "USER",
        "PID",
        "PROCESS",
        "SINCE",
        "WORKLOAD",
        "STARTED BY",
        "COMMAND",
    ];

    fn fields(&self, fields: &mut Cells) {
        let text = |value: Option<String>| value.unwrap_or_default();
        let holder = self.processes.first();
        fields.push(self.transport);
        fields.push(self.local);
        fields.push(self.peer.as_deref().unwrap_or_default());
        fields.push(self.state);
        fields.push(text(self.uid.map(|uid| uid.to_string())));
        fields.push(self.user.unwrap_or_default());
        fields.push(text(self.inode.map(|inode| inode.to_string())));
        fields.push(text(holder.map(|holder| holder.pid.to_string())));
        fields.push(holder.map_or("", |holder| holder.name));
        fields.push(text(holder.and_then(|h| h.started_ms).map(|time| time.to_string())));
        fields.push(text(self.workload_of(holder)));
        fields.push(text(holder.map(Holder::chain)));
        fields.push(text(holder.map(Holder::command_line)));
    }

    fn cells(&self, cells: &mut Cells) {
        let or = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.to_owned());
        let holder = self.processes.first();
        cells.push(self.transport);
        match &self.peer {
            Some(peer) => cells.push(format_args!("{} -> {peer}", self.local)),
            None => cells.push(self.local),
        }
        cells.push(self.state);
        // The process's, which need not be the one that made the socket.
        let (uid, user) = match holder {
            Some(holder) if holder.uid.is_some() => (holder.uid, holder.user),
            _ => (self.uid, self.user),
        };
        cells.push(or(user.map(str::to_owned).or_else(|| uid.map(|uid| uid.to_string())), "-"));
        cells.push(or(holder.map(|holder| holder.pid.to_string()), "?"));
        cells.push(match (holder, self.why) {
            (Some(holder), _) => holder.name,
            (None, Some(NoProcess::NotPermitted)) if rustix::process::geteuid().is_root() => {
                "(may not be looked into)"
            }
            (None, Some(NoProcess::NotPermitted)) => "(only root may see it)",
            (None, Some(NoProcess::Released)) => "(none: not accepted, or closed)",
            (None, _) => "(none here: the kernel, on its way, or another PID namespace)",
        });
        let since = holder.and_then(|holder| holder.started);
        cells.push(or(since.map(|time| humantime::format_rfc3339_seconds(time).to_string()), "-"));
        cells.push(or(self.workload_of(holder), "-"));
        cells.push(or(holder.map(Holder::chain).filter(|chain| !chain.is_empty()), "-"));
        cells.push(or(holder.map(Holder::command_line), "-"));
    }
}

impl HolderLine<'_> {
    /// The process's, and that of the socket's cgroup where it is another one, such as a socket unit whose
    /// socket systemd holds.
    fn workload_of(&self, holder: Option<&Holder<'_>>) -> Option<String> {
        match (holder.and_then(|holder| holder.workload), self.workload) {
            (Some(workload), Some(other)) if workload != other => {
                Some(format!("{workload} (socket of {other})"))
            }
            (workload, other) => workload.or(other).map(|workload| workload.to_string()),
        }
    }
}
