//! What runs in a cgroup: the container or systemd unit that its path names.

use std::fmt;

use serde::Serialize;

/// The length of the identifiers that container runtimes use, in hexadecimal digits.
const CONTAINER_ID: usize = 64;
/// As much of one as people type.
const SHORT_ID: usize = 12;

/// What manages the processes of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WorkloadKind {
    /// A container of Docker.
    Docker,
    /// A container of Podman.
    Podman,
    /// A container of Kubernetes, run by containerd or CRI-O, or by Docker for it.
    Kubernetes,
    /// A container of LXC or LXD.
    Lxc,
    /// A container or virtual machine that systemd-machined knows.
    Machine,
    /// A unit of systemd.
    Unit,
}

impl WorkloadKind {
    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Kubernetes => "kubernetes",
            Self::Lxc => "lxc",
            Self::Machine => "machine",
            Self::Unit => "unit",
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A container or unit, by the names that runtimes and systemd give to cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Workload<'a> {
    /// What manages it.
    pub kind: WorkloadKind,
    /// Its identifier or name there: 64 hexadecimal digits, `ssh.service`.
    pub id: &'a str,
}

impl<'a> Workload<'a> {
    /// What the path of a cgroup names. A container before the unit that it is in, the innermost
    /// unit before those around it, and a slice, which only holds others, last.
    pub fn of_path(path: &'a str) -> Option<Self> {
        let parts = || path.split('/').filter(|part| !part.is_empty());
        let in_pod = parts().any(|part| part.starts_with("kubepods"));
        let mut before = "";
        for part in parts() {
            if let Some(found) = container(before, part) {
                let kind = if in_pod { WorkloadKind::Kubernetes } else { found.kind };
                return Some(Self { kind, ..found });
            }
            before = part;
        }
        let is_unit = |part: &&str| {
            let (name, suffix) = part.rsplit_once('.').unwrap_or_default();
            !name.is_empty() && matches!(suffix, "service" | "scope" | "socket" | "mount" | "swap")
        };
        let is_slice =
            |part: &&str| part.rsplit_once('.').is_some_and(|(_, suffix)| suffix == "slice");
        let id = parts().rfind(is_unit).or_else(|| parts().rfind(is_slice))?;
        Some(Self { kind: WorkloadKind::Unit, id })
    }

    /// The identifier as people type it: the first 12 digits of a container's, any other whole.
    pub fn short_id(&self) -> &'a str {
        if is_container_id(self.id) { &self.id[..SHORT_ID] } else { self.id }
    }
}

/// `docker ab12...`, `unit ssh.service`.
impl fmt::Display for Workload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.short_id())
    }
}

/// The container that `part` of a path names, behind `before`.
fn container<'a>(before: &str, part: &'a str) -> Option<Workload<'a>> {
    use WorkloadKind::{Docker, Kubernetes, Lxc, Machine, Podman};
    let of = |kind, id| Some(Workload { kind, id });
    let scope = part.strip_suffix(".scope").unwrap_or(part);
    // The systemd driver: `docker-ID.scope`; the other one: `docker/ID`.
    for (prefix, kind) in [
        ("docker-", Docker),
        ("libpod-", Podman),
        ("cri-containerd-", Kubernetes),
        ("crio-", Kubernetes),
    ] {
        if let Some(id) = scope.strip_prefix(prefix).filter(|id| is_container_id(id)) {
            return of(kind, id);
        }
    }
    if is_container_id(part) {
        match before {
            "docker" => return of(Docker, part),
            "libpod_parent" | "libpod" => return of(Podman, part),
            pod if pod.contains("pod") => return of(Kubernetes, part),
            _ => {}
        }
    }
    if let Some(name) = part.strip_prefix("lxc.payload.").filter(|name| !name.is_empty()) {
        return of(Lxc, name);
    }
    if before == "lxc" {
        return of(Lxc, part);
    }
    if before == "machine.slice" {
        let service = part.strip_suffix(".service");
        let nspawn = service.and_then(|name| name.strip_prefix("systemd-nspawn@"));
        let machine = scope.strip_prefix("machine-");
        if let Some(name) = nspawn.or(machine).filter(|name| !name.is_empty()) {
            return of(Machine, name);
        }
    }
    None
}

fn is_container_id(text: &str) -> bool {
    text.len() == CONTAINER_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
