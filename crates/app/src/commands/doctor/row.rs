//! What the doctor says, as rows: a verdict for each address, then findings.

use std::io;
use std::net::SocketAddr;

use ports_core::Transport;
use ports_lease::LeaseRecord;
use serde::Serialize;
use stats::system::{BindFacts, BindFinding, Blocks, PortProcess};

use super::advice::{self, Advice};
use super::attempt::Attempt;
use super::place::place;
use crate::output::{Cells, Row};

/// See docs/json-lines.md.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Line {
    Verdict(Verdict),
    Finding(Finding),
}

/// Whether it can be bound at an address.
#[derive(Serialize)]
pub(super) struct Verdict {
    transport: Transport,
    address: String,
    #[serde(skip)]
    port: u16,
    can_bind: bool,
    can_bind_ipv6_alone: bool,
    needs_reuse_address: bool,
    error: Option<String>,
    /// Who has it in IPv4, where IPv6 can be bound alone.
    #[serde(skip)]
    in_ipv4: String,
}

impl Verdict {
    pub(super) fn new(facts: &BindFacts, findings: &[BindFinding], attempt: &Attempt) -> Self {
        let error = match attempt {
            Attempt::NoFamily => Some("this machine has no such addresses".to_owned()),
            attempt => attempt.error().map(ToString::to_string),
        };
        Self {
            transport: facts.transport,
            address: place(facts.address),
            port: facts.address.port(),
            can_bind: attempt.can_bind(),
            can_bind_ipv6_alone: matches!(attempt, Attempt::Ipv6Alone { .. }),
            needs_reuse_address: matches!(
                attempt,
                Attempt::WithReuse(_) | Attempt::Ipv6Alone { needs_reuse: true, .. }
            ),
            error,
            in_ipv4: advice::in_ipv4(findings),
        }
    }

    pub(super) fn text(&self) -> String {
        if self.can_bind_ipv6_alone {
            let reuse = if self.needs_reuse_address { ", with SO_REUSEADDR" } else { "" };
            let who = &self.in_ipv4;
            return format!("can be bound for IPv6 alone (IPV6_V6ONLY{reuse}): {who} it in IPv4");
        }
        match (&self.error, self.can_bind) {
            (None, _) => "can be bound".to_owned(),
            (Some(error), true) => format!("can be bound with SO_REUSEADDR only (else: {error})"),
            (Some(error), false) => format!("cannot be bound: {error}"),
        }
    }
}

/// Something to know, and what to do.
#[derive(Serialize)]
pub(super) struct Finding {
    #[serde(rename = "finding")]
    kind: &'static str,
    transport: Transport,
    port: u16,
    /// When it keeps `bind` from working: `always`, `without-reuse`, `never`.
    blocks: &'static str,
    what: String,
    todo: Option<String>,
    processes: Vec<Process>,
}

#[derive(Serialize)]
struct Process {
    pid: u32,
    name: String,
}

impl Finding {
    pub(super) fn new(facts: &BindFacts, finding: &BindFinding, advice: Advice) -> Self {
        let Advice { kind, blocks, what, todo } = advice;
        let processes = match finding {
            BindFinding::Held(socket) => socket.processes.clone(),
            BindFinding::Connections { others, .. } => {
                others.iter().flat_map(|socket| socket.processes.clone()).collect()
            }
            _ => Vec::new(),
        };
        Self {
            kind,
            transport: facts.transport,
            port: facts.address.port(),
            blocks: match blocks {
                Blocks::Never => "never",
                Blocks::WithoutReuse => "without-reuse",
                Blocks::UnlessAllReuse => "unless-all-reuse",
                Blocks::Always => "always",
            },
            what,
            todo,
            processes: processes
                .into_iter()
                .map(|PortProcess { pid, name, .. }| Process { pid, name })
                .collect(),
        }
    }

    /// A refusal that none of the findings is the reason of.
    pub(super) fn unexplained(
        facts: &BindFacts,
        attempt: &Attempt,
        is_explained: bool,
    ) -> Option<Self> {
        let (transport, address) = (facts.transport, facts.address);
        let first_unprivileged = facts.rules.first_unprivileged;
        let (kind, what, todo) = match attempt {
            Attempt::NotTried(error) => {
                ("not-tried", format!("this process could not try: {error}"), None)
            }
            Attempt::Refused(error) if error.kind() == io::ErrorKind::AddrNotAvailable => (
                "no-such-address",
                match address {
                    SocketAddr::V6(address) if address.scope_id() != 0 => {
                        format!("{} is not an address of that interface", address.ip())
                    }
                    _ => format!("{} is not an address of this machine", address.ip()),
                },
                Some(
                    "`ip address` shows those that are; 0.0.0.0 and [::] are all of them"
                        .to_owned(),
                ),
            ),
            Attempt::Refused(error)
                if error.kind() == io::ErrorKind::InvalidInput && lacks_interface(address) =>
            {
                let ip = address.ip();
                (
                    "needs-interface",
                    format!("a link-local address needs its interface: {ip}%IFACE"),
                    Some(format!("Name the interface: --address {ip}%IFACE")),
                )
            }
            // The capability is this process's, but in a user namespace of its own.
            Attempt::Refused(error)
                if !is_explained
                    && error.kind() == io::ErrorKind::PermissionDenied
                    && address.port() < first_unprivileged.number() =>
            (
                "privileged",
                format!(
                    "ports below {first_unprivileged} need CAP_NET_BIND_SERVICE in the user namespace \
                     that this network is of, which is another one than this process's"
                ),
                Some(format!(
                    "Take a port from {first_unprivileged} up, or lower \
                     net.ipv4.ip_unprivileged_port_start outside of this container"
                )),
            ),
            Attempt::Refused(error)
                if !is_explained && error.kind() == io::ErrorKind::PermissionDenied =>
            (
                "not-seen",
                "a rule of the system keeps it from this process: a security module, or a filter of \
                 its control group"
                    .to_owned(),
                None,
            ),
            // Other errors say all there is to say.
            Attempt::Refused(error) | Attempt::Ipv6Alone { error, .. }
                if !is_explained && error.kind() == io::ErrorKind::AddrInUse =>
            (
                "not-seen",
                "no socket that can be seen has it: one that is bound and not listening (Linux \
                 before 6.8 does not tell of these), or a rule of the system"
                    .to_owned(),
                None,
            ),
            _ => return None,
        };
        let port = address.port();
        let processes = Vec::new();
        Some(Self { kind, transport, port, blocks: "always", what, todo, processes })
    }

    /// A lease, or a name like one that another program has.
    pub(super) fn leased(record: &LeaseRecord) -> Self {
        let whom = record.processes.first().map_or_else(
            || {
                let place = if record.is_elsewhere {
                    "in another PID namespace"
                } else {
                    "that cannot be seen from here"
                };
                format!("a process {place}")
            },
            |process| format!("{} (process {})", process.name, process.pid),
        );
        let name = record.lease.as_ref().and_then(|lease| lease.name.as_ref());
        let name = name.map(|name| format!(" as `{name}`")).unwrap_or_default();
        let what = if record.lease.is_some() {
            format!("leased by `ports lease`{name}: {whom} counts on it")
        } else {
            format!("{whom} has taken the name of its lease: `ports lease` passes it by")
        };
        Self {
            kind: "leased",
            transport: record.transport,
            port: record.port.number(),
            blocks: "never",
            what,
            todo: Some("Take another one: ports lease -- CMD".to_owned()),
            processes: record
                .processes
                .iter()
                .map(|process| Process { pid: process.pid, name: process.name.clone() })
                .collect(),
        }
    }
}

/// Addresses of one link only say nothing without the link (RFC 4007 section 6).
const fn lacks_interface(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(address)
        if address.ip().is_unicast_link_local() && address.scope_id() == 0)
}

impl Row for Line {
    const FIELDS: &'static [&'static str] =
        &["transport", "port", "finding", "blocks", "what", "todo"];
    const HEADINGS: &'static [&'static str] = &["PORT", "FINDING"];

    fn fields(&self, fields: &mut Cells) {
        match self {
            Self::Verdict(verdict) => {
                fields.push(verdict.transport);
                fields.push(verdict.port);
                fields.push(if verdict.can_bind { "can-bind" } else { "cannot-bind" });
                fields.push(match (verdict.can_bind, verdict.needs_reuse_address) {
                    (true, false) => "never",
                    (true, true) => "without-reuse",
                    (false, _) => "always",
                });
                fields.push(format_args!("{} {}", verdict.address, verdict.text()));
                fields.push("");
            }
            Self::Finding(finding) => {
                fields.push(finding.transport);
                fields.push(finding.port);
                fields.push(finding.kind);
                fields.push(finding.blocks);
                fields.push(&finding.what);
                fields.push(finding.todo.as_deref().unwrap_or_default());
            }
        }
    }

    fn cells(&self, cells: &mut Cells) {
        match self {
            Self::Verdict(verdict) => {
                cells.push(format_args!("{}/{}", verdict.port, verdict.transport));
                cells.push(format_args!("{} {}", verdict.address, verdict.text()));
            }
            Self::Finding(finding) => {
                cells.push("");
                match &finding.todo {
                    Some(todo) => cells.push(format_args!("- {}. {todo}", finding.what)),
                    None => cells.push(format_args!("- {}", finding.what)),
                }
            }
        }
    }
}
