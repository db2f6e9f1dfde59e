//! The cgroups of this machine by number: the inode of each directory of the tree.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::system::Snapshot;
use crate::system::cgroup::CgroupPaths;

/// As many cgroups are read; those beyond have no path, and are counted as far as they are seen.
const MOST_CGROUPS: usize = 100_000;

/// The tree as it was last read.
#[derive(Debug, Default)]
pub(super) struct CgroupTree {
    paths: Arc<CgroupPaths>,
    unread: usize,
}

impl CgroupTree {
    /// Gives a snapshot the paths of its cgroups; the tree is read again where there is a new one.
    pub(super) fn attach(&mut self, snapshot: &mut Snapshot) {
        let is_new = |id: u64| id != 0 && !self.paths.paths.contains_key(&id);
        if snapshot.rows.iter().any(|row| is_new(row.cgroup))
            && let Some(mount) = mount_point(&fs::read("/proc/self/mountinfo").unwrap_or_default())
        {
            let (mut paths, unread) = walk(&mount, MOST_CGROUPS);
            // A cgroup that is gone, or not in this mount: not to be looked for again.
            for row in snapshot.rows.iter().filter(|row| row.cgroup != 0) {
                paths.entry(row.cgroup).or_insert(None);
            }
            self.paths = Arc::new(CgroupPaths { paths });
            self.unread = unread;
        }
        snapshot.cgroups = Arc::clone(&self.paths);
        snapshot.coverage.unread_cgroups = self.unread;
    }
}

/// Where cgroup version 2 is mounted: the fifth field, where a `-` and `cgroup2` follow
/// (`proc_pid_mountinfo(5)`).
fn mount_point(mountinfo: &[u8]) -> Option<PathBuf> {
    let text = String::from_utf8_lossy(mountinfo);
    let line = text.lines().find(|line| line.contains(" - cgroup2 "))?;
    // A blank is written `\040`.
    Some(line.split(' ').nth(4)?.replace("\\040", " ").into())
}

/// Every cgroup below `mount`, up to `most` of them, and how many more were seen: those below the latter
/// are not. One that goes away meanwhile is left out.
fn walk(mount: &Path, most: usize) -> (HashMap<u64, Option<Box<str>>>, usize) {
    let mut paths = HashMap::new();
    let mut unread = 0;
    let mut open = vec![String::new()];
    if let Ok(root) = fs::metadata(mount) {
        paths.insert(root.ino(), Some("/".into()));
    }
    while let Some(path) = open.pop() {
        let directory = mount.join(path.trim_start_matches('/'));
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_directory {
                continue;
            }
            if paths.len() >= most {
                unread += 1;
                continue;
            }
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            paths.insert(entry.ino(), Some(path.as_str().into()));
            open.push(path);
        }
    }
    (paths, unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_version_2_is_found() {
        let text = b"30 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            31 24 0:27 / /sys/fs/my\\040cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(text), Some("/sys/fs/my cgroup".into()));
        assert_eq!(mount_point(b"garbage\n\xff"), None);
    }

    #[test]
    fn every_directory_has_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("system.slice/ssh.service")).unwrap();
        let inode = fs::metadata(root.join("system.slice/ssh.service")).unwrap().ino();
        let (paths, unread) = walk(root, 3);
        let (fewer, more) = walk(root, 2);
        assert_eq!(paths[&inode].as_deref(), Some("/system.slice/ssh.service"));
        assert_eq!((paths.len(), unread), (3, 0));
        assert_eq!((fewer.len(), more), (2, 1));
    }
}
