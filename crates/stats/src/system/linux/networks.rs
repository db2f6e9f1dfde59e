//! The network namespaces of processes, read from `/proc/PID/ns/net`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Stat};
use rustix::io::Errno;

use super::scan;
use crate::system::{OtherNetworks, SnapshotError};

/// See [`OtherNetworks::look`].
pub(in crate::system) fn other_networks() -> Result<OtherNetworks, SnapshotError> {
    look(Path::new(scan::PROC))
}

fn look(proc: &Path) -> Result<OtherNetworks, SnapshotError> {
    let failed =
        |path: PathBuf, error: Errno| SnapshotError::ReadProc { path, source: error.into() };
    let own = proc.join("self/ns/net");
    let own = namespace(&own).map_err(|error| failed(own, error))?;
    let processes = scan::processes(proc).map_err(|error| failed(proc.to_owned(), error))?;
    let mut others = HashSet::new();
    let mut unreadable = 0;
    for process in processes {
        let path = proc.join(process.pid.to_string()).join("ns/net");
        match namespace(&path) {
            Ok(namespace) if namespace == own => {}
            Ok(namespace) => _ = others.insert(namespace),
            // It has ended, or is about to, and has none any more.
            Err(Errno::NOENT | Errno::SRCH) => {}
            Err(Errno::ACCESS | Errno::PERM) => unreadable += 1,
            Err(error) => return Err(failed(path, error)),
        }
    }
    Ok(OtherNetworks { namespaces: others.len(), unreadable })
}

/// A namespace is known by its device and inode (namespaces(7)).
fn namespace(path: &Path) -> Result<(u64, u64), Errno> {
    let Stat { st_dev, st_ino, .. } = rustix::fs::statat(CWD, path, rustix::fs::AtFlags::empty())?;
    Ok((st_dev, st_ino))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_namespace_but_this_ones_counts_once() {
        let proc = tempfile::tempdir().unwrap();
        // Files stand for namespaces: each has an inode of its own.
        for name in ["host", "first", "second"] {
            fs::write(proc.path().join(name), "").unwrap();
        }
        let of = [("self", "host"), ("1", "host"), ("7", "first"), ("8", "first"), ("9", "second")];
        for (process, namespace) in of {
            let directory = proc.path().join(process).join("ns");
            fs::create_dir_all(&directory).unwrap();
            symlink(proc.path().join(namespace), directory.join("net")).unwrap();
        }
        // One that has ended since it was listed.
        fs::create_dir(proc.path().join("10")).unwrap();
        let found = look(proc.path()).unwrap();
        assert_eq!(found, OtherNetworks { namespaces: 2, unreadable: 0 });
    }

    #[test]
    fn this_machine_is_looked_at() {
        other_networks().unwrap();
        assert!(look(Path::new("/no-such-directory")).is_err());
    }
}
