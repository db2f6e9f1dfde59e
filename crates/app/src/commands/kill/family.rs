//! This process among the others: whom it comes from, and who is kept up by what it is not in.

use stats::system::{ProcessDetails, UserNames};

use crate::commands::keeper::Keeper;

/// The first process of the machine, or of the container.
const INIT: u32 = 1;
/// Whose children are what others left behind. What these start again by themselves is in a unit.
const ADOPTERS: [&str; 6] = ["systemd", "init", "tini", "dumb-init", "docker-init", "catatonit"];

/// This process and those that it comes from.
pub(super) struct Family {
    pub(super) own: u32,
    pub(super) ancestors: Vec<u32>,
    /// What keeps them up.
    pub(super) keeper: Option<Keeper>,
}

impl Family {
    pub(super) fn own(users: &UserNames) -> anyhow::Result<Self> {
        let own = std::process::id();
        let details = ProcessDetails::of(own, users)?;
        let cgroup = details.as_ref().and_then(|details| details.cgroup.as_deref());
        let keeper = cgroup.and_then(Keeper::of_path);
        let parents = details.map(|details| details.parents).unwrap_or_default();
        let ancestors = parents.iter().map(|parent| parent.pid).collect();
        Ok(Self { own, ancestors, keeper })
    }

    /// Why a process is not ended without being told.
    pub(super) fn why(&self, pid: u32) -> Option<&'static str> {
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
    pub(super) fn keepers(&self, cgroup: Option<&str>) -> Vec<Keeper> {
        let mut keepers = Keeper::all(cgroup);
        keepers.retain(|keeper| self.keeper.as_ref() != Some(keeper));
        keepers
    }

    /// Whether it is of a container or service that this process is not in, or was started by somebody
    /// who is there still and is neither one whom this process comes from (the user's shell) nor one who
    /// only adopts.
    pub(super) fn is_supervised(&self, details: &ProcessDetails) -> bool {
        !self.keepers(details.cgroup.as_deref()).is_empty()
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
        let family = Family { own: 7, ancestors: vec![5, 3, 1], keeper: None };
        for pid in [7, 5, 3, 1] {
            assert!(family.why(pid).is_some(), "{pid}");
        }
        assert_eq!(family.why(8), None);
        let us = Family::own(&UserNames::default()).unwrap();
        assert!(us.why(std::os::unix::process::parent_id()).is_some());
    }

    #[test]
    fn those_who_may_be_started_again_are_known() {
        let users = UserNames::default();
        let mut details = ProcessDetails::of(std::process::id(), &users).unwrap().unwrap();
        let mut is_supervised = |parents: &[u32], cgroup: &str, own: Option<&str>| {
            details.cgroup = Some(cgroup.to_owned());
            details.parents.retain(|parent| parents.contains(&parent.pid));
            let keeper = own.and_then(Keeper::of_path);
            Family { own: 7, ancestors: vec![5], keeper }.is_supervised(&details)
        };
        let parent = std::os::unix::process::parent_id();
        assert!(is_supervised(&[parent], "/", None), "by its parent");
        // From here on it has none.
        assert!(!is_supervised(&[], "/", None));
        let docker = format!("/docker/{}", "ab".repeat(32));
        assert!(is_supervised(&[], &docker, None), "in a container");
        assert!(is_supervised(&[], "/system.slice/web.service", None), "in a service");
        // As ours is, it is no sign: a user's session, or all within one container.
        assert!(!is_supervised(
            &[],
            "/system.slice/ssh.service",
            Some("/system.slice/ssh.service")
        ));
        assert!(!is_supervised(&[], "/user.slice/session-3.scope", None));
    }
}
