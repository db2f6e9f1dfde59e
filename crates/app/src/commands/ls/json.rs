//! A socket as a JSON object.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use stats::system::{Details, Holding, NoProcess, SocketRow, UserNames};

use super::row::distinct;

/// See docs/json-lines.md.
#[derive(Serialize)]
#[serde(tag = "type", rename = "socket")]
pub(super) struct Socket<'a> {
    transport: &'static str,
    #[serde(serialize_with = "shown")]
    local: stats::system::Address<'a>,
    #[serde(serialize_with = "shown_or_null")]
    peer: Option<stats::system::Address<'a>>,
    state: &'static str,
    uid: Option<u32>,
    user: Option<&'a str>,
    inode: Option<u64>,
    cookie: Option<u64>,
    interface: Option<u32>,
    receive_queue: Option<u32>,
    send_queue: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Processes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_process: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    cgroup_unread: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<stats::system::Workload<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<SocketDetails>,
}

/// What only `--details` tells.
#[derive(Serialize)]
struct SocketDetails {
    rtt_us: Option<u128>,
    retransmits: Option<u32>,
    bytes_received: Option<u64>,
    bytes_acknowledged: Option<u64>,
    delivery_rate: Option<u64>,
    receive_memory: Option<u32>,
    send_memory: Option<u32>,
    drops: Option<u32>,
}

impl<'a> Socket<'a> {
    pub(super) fn of(socket: SocketRow<'a>, users: &'a UserNames) -> Self {
        let why = socket.no_process();
        Self {
            transport: socket.protocol().name(),
            local: socket.local(),
            peer: socket.peer(),
            state: socket.state().name(),
            uid: socket.uid(),
            user: socket.uid().and_then(|uid| users.name(uid)),
            inode: socket.inode(),
            cookie: socket.cookie(),
            interface: socket.interface(),
            receive_queue: socket.receive_queue(),
            send_queue: socket.send_queue(),
            processes: (why != Some(NoProcess::NotAsked)).then_some(Processes(socket)),
            no_process: why.and_then(no_process),
            cgroup: socket.cgroup_path(),
            cgroup_unread: socket.is_cgroup_unread(),
            workload: socket.workload(),
            details: socket.details().map(SocketDetails::of),
        }
    }
}

impl SocketDetails {
    fn of(details: &Details) -> Self {
        let (tcp, memory) = (details.tcp.as_ref(), details.memory.as_ref());
        Self {
            rtt_us: tcp.map(|tcp| tcp.rtt.as_micros()),
            retransmits: tcp.map(|tcp| tcp.total_retrans),
            bytes_received: tcp.and_then(|tcp| tcp.bytes_received),
            bytes_acknowledged: tcp.and_then(|tcp| tcp.bytes_acked),
            delivery_rate: tcp.and_then(|tcp| tcp.delivery_rate),
            receive_memory: memory.map(|memory| memory.receive),
            send_memory: memory.map(|memory| memory.send),
            drops: memory.and_then(|memory| memory.drops),
        }
    }
}

/// Why there is no process, in a word; `None` where nobody asked.
pub(in crate::commands) const fn no_process(why: NoProcess) -> Option<&'static str> {
    match why {
        NoProcess::NotAsked => None,
        NoProcess::Released => Some("released"),
        NoProcess::NotPermitted => Some("not-permitted"),
        NoProcess::Elsewhere => Some("elsewhere"),
        _ => Some("not-seen"),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

struct Processes<'a>(SocketRow<'a>);

impl Serialize for Processes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Process<'a> {
            pid: u32,
            name: &'a str,
        }
        let mut list = serializer.serialize_seq(None)?;
        for Holding { process, .. } in distinct(&self.0) {
            list.serialize_element(&Process { pid: process.pid(), name: process.name() })?;
        }
        list.end()
    }
}

/// As it is printed.
pub(in crate::commands) fn shown<S: Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn shown_or_null<S: Serializer>(
    value: &Option<impl std::fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
