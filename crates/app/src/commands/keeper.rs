//! Who may start a process again once it has ended: a service, a socket unit or a container, and what
//! stops that.

use std::fmt;

use stats::system::{ProcessDetails, SnapshotError, UserNames, Workload, WorkloadKind};

/// What keeps processes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Keeper {
    /// `unit web.service`, `docker ab12...`.
    name: String,
    /// What is typed to stop it; none where that is not known, or said elsewhere (Kubernetes).
    stop: Option<String>,
}

impl Keeper {
    /// By the path of a control group; none for what starts nothing again: a session, a slice.
    pub(in crate::commands) fn of_path(path: &str) -> Option<Self> {
        let workload = Workload::of_path(path)?;
        let id = quoted(workload.short_id());
        let stop = match workload.kind {
            WorkloadKind::Unit => {
                let kind = workload.id.rsplit_once('.').map(|(_, kind)| kind);
                if !matches!(kind, Some("service" | "socket")) {
                    return None;
                }
                // The manager of a user's own units runs in `user@UID.service`.
                let is_users = path.split('/').any(|part| {
                    part.starts_with("user@") && part != workload.id && part.ends_with(".service")
                });
                Some(format!("systemctl {}stop {id}", if is_users { "--user " } else { "" }))
            }
            WorkloadKind::Docker => Some(format!("docker stop {id}")),
            WorkloadKind::Podman => Some(format!("podman stop {id}")),
            WorkloadKind::Machine => Some(format!("machinectl stop {id}")),
            _ => None,
        };
        let name = workload.to_string().replace(char::is_control, "\u{fffd}");
        Some(Self { name, stop })
    }

    /// Whether it only listens until there is somebody to be served.
    pub(in crate::commands) fn is_socket_unit(&self) -> bool {
        self.name.ends_with(".socket")
    }

    /// Those of control groups, each once.
    pub(in crate::commands) fn all<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut keepers: Vec<Self> = Vec::new();
        for keeper in paths.into_iter().filter_map(Self::of_path) {
            if !keepers.contains(&keeper) {
                keepers.push(keeper);
            }
        }
        keepers
    }

    /// The one that this process is in: to those within it is no sign, and none of their business.
    pub(in crate::commands) fn own() -> Result<Option<Self>, SnapshotError> {
        let own = ProcessDetails::of(std::process::id(), &UserNames::default())?;
        Ok(own.and_then(|own| Self::of_path(&own.cgroup?)))
    }

    /// What to type for all of these, where that is known.
    pub(in crate::commands) fn stop(keepers: &[Self]) -> Option<String> {
        let commands: Vec<&str> =
            keepers.iter().filter_map(|keeper| keeper.stop.as_deref()).collect();
        (!commands.is_empty()).then(|| commands.join("; "))
    }

    /// Their names in a sentence.
    pub(in crate::commands) fn names(keepers: &[Self]) -> String {
        let names: Vec<&str> = keepers.iter().map(|keeper| keeper.name.as_str()).collect();
        names.join(" and ")
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether it only passes a port of this machine on to a container of Docker, which goes on without it.
pub(in crate::commands) fn is_docker_proxy(process: &str) -> bool {
    process == "docker-proxy"
}

/// What shows the container that a port is passed on to.
pub(in crate::commands) fn published(port: u16) -> String {
    format!("docker ps --filter publish={port}")
}

/// A word as it can be typed in a shell.
pub(in crate::commands) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_command() {
        let id = "0123456789ab".repeat(5) + "cdef";
        for (path, name, stop) in [
            ("/system.slice/web.service", "unit web.service", "systemctl stop web.service"),
            ("/system.slice/web.socket", "unit web.socket", "systemctl stop web.socket"),
            (
                "/user.slice/user-7.slice/user@7.service/app.slice/web.service",
                "unit web.service",
                "systemctl --user stop web.service",
            ),
            (
                "/user.slice/user-7.slice/user@7.service",
                "unit user@7.service",
                "systemctl stop user@7.service",
            ),
            (
                r"/system.slice/a\x2db.service",
                r"unit a\x2db.service",
                r"systemctl stop 'a\x2db.service'",
            ),
            (
                &format!("/system.slice/docker-{id}.scope"),
                "docker 0123456789ab",
                "docker stop 0123456789ab",
            ),
            (
                &format!("/machine.slice/libpod-{id}.scope/container"),
                "podman 0123456789ab",
                "podman stop 0123456789ab",
            ),
        ] {
            let keeper = Keeper::of_path(path).unwrap();
            assert_eq!(keeper.name, name);
            assert_eq!(Keeper::stop(&[keeper]).as_deref(), Some(stop));
        }
        let pod = format!("/kubepods.slice/cri-containerd-{id}.scope");
        assert_eq!(Keeper::stop(&[Keeper::of_path(&pod).unwrap()]), None);
        for path in ["/", "/user.slice/user-7.slice/session-3.scope", "/init.scope", "/a.slice"] {
            assert_eq!(Keeper::of_path(path), None, "{path}");
        }
    }

    #[test]
    fn several_are_told_once_each() {
        let paths = ["/system.slice/a.socket", "/system.slice/a.service", "/", "/x/a.service"];
        let keepers = Keeper::all(paths);
        assert_eq!(Keeper::names(&keepers), "unit a.socket and unit a.service");
        let stop = "systemctl stop a.socket; systemctl stop a.service";
        assert_eq!(Keeper::stop(&keepers).as_deref(), Some(stop));
    }

    #[test]
    fn words_can_be_typed_again() {
        assert_eq!(quoted("--port=80"), "--port=80");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's two"), r"'it'\''s two'");
    }
}
