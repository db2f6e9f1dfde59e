//! The paths of cgroups, by number.

use std::collections::HashMap;

/// Paths below the mount of cgroup version 2, by the number that the kernel gives; `None` for a
/// number that was looked for and is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CgroupPaths {
    pub(super) paths: HashMap<u64, Option<Box<str>>>,
}

impl CgroupPaths {
    pub(super) fn path(&self, id: u64) -> Option<&str> {
        self.paths.get(&id)?.as_deref()
    }
}
