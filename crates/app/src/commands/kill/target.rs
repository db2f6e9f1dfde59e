//! Who holds a port, and who is not to be ended without being told.

use std::collections::BTreeMap;
use std::fmt;

use stats::system::{NoProcess, ProcessDetails, UserNames, WorkloadKind};

use super::sockets;
use crate::args::HeldPort;
use crate::commands::keeper::Keeper;

/// The first process of the machine, or of the container.
const INIT: u32 = 1;
/// Whose children are what others left behind. What these start again by themselves is in a unit.
const ADOPTERS: [&str; 6] = ["systemd", "init", "tini", "dumb-init", "docker-init", "catatonit"];

/// The name of systemd's processes, which listen for socket units.
const MANAGER: &str = "systemd";

/// A process that holds the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) pid: u32,
    /// With the pid it names one process.
    pub(super) start_ticks: u64,
    pub(super) name: String,
    /// Its name, or its number where it has none.
    pub(super) user: Option<String>,
    /// The same in a sentence.
    whose: Option<String>,
    pub(super) command: Vec<String>,
    /// Its sockets at the port: `tcp 127.0.0.1:80`.
    pub(super) sockets: Vec<String>,
    parent: Option<String>,
    workload: Option<String>,
    /// What may start it again, or has made its sockets.
    keepers: Vec<Keeper>,
    is_supervised: bool,
    spared: Option<String>,
}

impl Target {
    fn new(name: &str, details: &ProcessDetails, users: &UserNames, family: &Family) -> Self {
        let uid = details.uid.map(|uid| uid.to_string());
        let parent = details.parents.first();
        Self {
            pid: details.pid,
            start_ticks: details.start_ticks,
            name: name.to_owned(),
            user: details.user.clone().or(uid),
            whose: details.uid.map(|uid| users.in_words(uid)),
            command: details.command.clone(),
            sockets: Vec::new(),
            parent: parent.map(|parent| format!("{} {}", parent.name, parent.pid)),
            workload: details.workload().map(|workload| workload.to_string()),
            keepers: family.keepers(details.cgroup.as_deref()),
            is_supervised: family.is_supervised(details),
            spared: family.why(details.pid).map(str::to_owned),
        }
    }

    pub(super) const fn is_spared(&self, force: bool) -> bool {
        self.spared.is_some() && !force
    }

    pub(super) fn why_spared(&self) -> Option<&str> {
        self.spared.as_deref()
    }

    /// Takes in a socket that it waits with.
    fn add(&mut self, name: &str, cgroup: Option<&str>, family: &Family) {
        if !self.sockets.iter().any(|known| known == name) {
            self.sockets.push(name.to_owned());
        }
        for keeper in family.keepers(cgroup) {
            // It waits for the first client, to start a service then; it is no service itself.
            if self.name == MANAGER && keeper.is_socket_unit() {
                self.spared = Some(format!("what waits there for {keeper}"));
            }
            if !self.keepers.contains(&keeper) {
                self.keepers.push(keeper);
            }
        }
    }

    /// What may start it again, or has made its sockets.
    pub(super) fn keepers(&self) -> &[Keeper] {
        &self.keepers
    }

    /// Whether there is somebody who may start it again by himself.
    pub(super) const fn is_supervised(&self) -> bool {
        self.is_supervised
    }

    /// Who started it, and may start it again.
    pub(super) fn supervisor(&self) -> Option<&str> {
        self.workload.as_deref().or(self.parent.as_deref())
    }
}

/// `python3 (process 41873) of alice`, fit for a terminal.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: String = self
            .name
            .chars()
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        write!(f, "{name} (process {})", self.pid)?;
        match &self.whose {
            Some(user) => write!(f, " of {user}"),
            None => Ok(()),
        }
    }
}

/// Who holds a port.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// By pid.
    pub(super) targets: Vec<Target>,
    /// Sockets without a process that can be seen, and why.
    unseen: Vec<(String, NoProcess)>,
}

impl Holders {
    /// Those that wait at the port; not those that have a connection there.
    pub(super) fn of(port: HeldPort) -> anyhow::Result<Self> {
        let users = UserNames::read();
        let family = own_family(&users)?;
        let mut targets: BTreeMap<u32, Target> = BTreeMap::new();
        let mut unseen = Vec::new();
        for transport in port.transports() {
            let who = sockets().who(*transport, port.port)?;
            for socket in who.holders() {
                let name = format!("{} {}", socket.protocol(), socket.local());
                if let Some(why) = socket.no_process() {
                    unseen.push((name, why));
                    continue;
                }
                for holding in socket.holdings() {
                    // One that has ended meanwhile holds nothing.
                    let Some(details) = who.process(holding.process.pid()) else { continue };
                    let target = targets.entry(details.pid).or_insert_with(|| {
                        Target::new(holding.process.name(), details, &users, &family)
                    });
                    target.add(&name, socket.cgroup_path(), &family);
                }
            }
        }
        Ok(Self { targets: targets.into_values().collect(), unseen })
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.targets.is_empty() && self.unseen.is_empty()
    }

    /// The sockets whose process this one may not see, said.
    pub(super) fn hidden(&self) -> Option<String> {
        let hidden: Vec<&str> = self
            .unseen
            .iter()
            .filter(|(_, why)| *why == NoProcess::NotPermitted)
            .map(|(name, _)| name.as_str())
            .collect();
        (!hidden.is_empty()).then(|| {
            let who = if rustix::process::geteuid().is_root() {
                "a process that may not be looked into, even by root"
            } else {
                "another user's process, which only root may see"
            };
            format!("{}: held by {who}", hidden.join(", "))
        })
    }

    /// Why no process is seen, where none is.
    pub(super) fn why_none(&self) -> NoProcess {
        let hidden = self.unseen.iter().any(|(_, why)| *why == NoProcess::NotPermitted);
        if hidden { NoProcess::NotPermitted } else { NoProcess::Elsewhere }
    }

    /// Whether this very process still holds the port.
    pub(super) fn has(&self, target: &Target) -> bool {
        let same =
            |other: &Target| (other.pid, other.start_ticks) == (target.pid, target.start_ticks);
        self.targets.iter().any(same)
    }
}

#[cfg(test)]
impl Holders {
    /// A socket of another user's process.
    pub(super) fn of_nobody_seen(socket: &str) -> Self {
        let unseen = vec![(socket.to_owned(), NoProcess::NotPermitted)];
        Self { targets: Vec::new(), unseen }
    }
}

/// Makes sure that the numbers of processes mean here what they mean in `/proc`: where that shows another
/// PID namespace, this process would signal a stranger.
pub(super) fn check_numbering() -> anyhow::Result<()> {
    let own = std::process::id().to_string();
    let is_ours =
        std::fs::read_link("/proc/self").is_ok_and(|number| number.as_os_str() == own.as_str());
    anyhow::ensure!(
        is_ours,
        "cannot tell whom to end: /proc is not that of this PID namespace (mount -t proc proc /proc)"
    );
    Ok(())
}

/// This process and those that it comes from.
struct Family {
    own: u32,
    ancestors: Vec<u32>,
    workload: Option<String>,
    keeper: Option<Keeper>,
}

fn own_family(users: &UserNames) -> anyhow::Result<Family> {
    let own = std::process::id();
    let details = ProcessDetails::of(own, users)?;
    let workload = details.as_ref().and_then(ProcessDetails::workload);
    let workload = workload.map(|workload| workload.to_string());
    let cgroup = details.as_ref().and_then(|details| details.cgroup.as_deref());
    let keeper = cgroup.and_then(Keeper::of_path);
    let parents = details.map(|details| details.parents).unwrap_or_default();
    let ancestors = parents.iter().map(|parent| parent.pid).collect();
    Ok(Family { own, ancestors, workload, keeper })
}

impl Family {
    /// Why a process is not ended without being told.
    fn why(&self, pid: u32) -> Option<&'static str> {
        if pid == INIT {
            Some("process 1, which everything depends on")
        } else if pid == self.own {
            Some("this process itself")
        } else if self.ancestors.contains(&pid) {
            Some("one that this process was started by")
        } else {
            None
        }
    }

    /// What keeps up the processes of a control group, and not this one, too.
    fn keepers(&self, cgroup: Option<&str>) -> Vec<Keeper> {
        let mut keepers = Keeper::all(cgroup);
        keepers.retain(|keeper| self.keeper.as_ref() != Some(keeper));
        keepers
    }

    /// Whether it is of a container or service that this process is not in, or was started by somebody
    /// who is there still and is neither one whom this process comes from (the user's shell) nor one who
    /// only adopts.
    fn is_supervised(&self, details: &ProcessDetails) -> bool {
        let is_kept_up = details.workload().is_some_and(|workload| {
            let is_service = workload.id.ends_with(".service") || workload.id.ends_with(".socket");
            (workload.kind != WorkloadKind::Unit || is_service)
                && self.workload.as_ref() != Some(&workload.to_string())
        });
        is_kept_up
            || details.parents.first().is_some_and(|parent| {
                !self.ancestors.contains(&parent.pid) && !ADOPTERS.contains(&parent.name.as_str())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relatives_are_spared() {
        let family = Family { own: 7, ancestors: vec![5, 3, 1], workload: None, keeper: None };
        for pid in [7, 5, 3, 1] {
            assert!(family.why(pid).is_some(), "{pid}");
        }
        assert_eq!(family.why(8), None);
        let us = own_family(&UserNames::default()).unwrap();
        assert!(us.why(std::os::unix::process::parent_id()).is_some());
    }

    #[test]
    fn those_who_may_be_started_again_are_known() {
        let users = UserNames::default();
        let mut details = ProcessDetails::of(std::process::id(), &users).unwrap().unwrap();
        let mut is_supervised = |parents: &[u32], cgroup: &str, own: Option<&str>| {
            details.cgroup = Some(cgroup.to_owned());
            details.parents.retain(|parent| parents.contains(&parent.pid));
            let workload = own.map(str::to_owned);
            Family { own: 7, ancestors: vec![5], workload, keeper: None }.is_supervised(&details)
        };
        let parent = std::os::unix::process::parent_id();
        assert!(is_supervised(&[parent], "/", None), "by its parent");
        // From here on it has none.
        assert!(!is_supervised(&[], "/", None));
        let docker = format!("/docker/{}", "ab".repeat(32));
        assert!(is_supervised(&[], &docker, None), "in a container");
        assert!(is_supervised(&[], "/system.slice/web.service", None), "in a service");
        // As ours is, it is no sign: a user's session, or all within one container.
        assert!(!is_supervised(&[], "/system.slice/ssh.service", Some("unit ssh.service")));
        assert!(!is_supervised(&[], "/user.slice/session-3.scope", None));
    }
}
