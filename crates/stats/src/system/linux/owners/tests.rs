//! What is kept of processes, part by part; sockets of this process from snapshot to snapshot.

use super::*;
use crate::system::{Protocol, SocketRow, State};

fn found(descriptors: &[u32]) -> Vec<Found> {
    descriptors.iter().map(|d| Found { descriptor: *d, inode: u64::from(*d) + 1000 }).collect()
}

fn part(from: u32, end: u32, descriptors: &[u32]) -> Part {
    let seen = Seen::Sockets { found: found(descriptors), holder: None };
    Part { pid: 7, from, end, seen }
}

fn kept(owners: &Owners) -> Vec<u32> {
    owners.entries[&7].sockets.iter().map(|found| found.descriptor).collect()
}

#[test]
fn parts_of_a_process_make_it_whole_in_any_order() {
    let mut owners = Owners::new(Duration::ZERO);
    let parts = vec![part(20, u32::MAX, &[25, 30]), part(0, 10, &[1, 9]), part(10, 20, &[15])];
    assert_eq!(owners.keep(parts), 1);
    assert_eq!(kept(&owners), [1, 9, 15, 25, 30]);
    // One of them again: what lies outside of it stays.
    owners.keep(vec![part(10, 20, &[11, 12])]);
    assert_eq!(kept(&owners), [1, 9, 11, 12, 25, 30]);
    owners.keep(vec![part(0, u32::MAX, &[3])]);
    assert_eq!(kept(&owners), [3]);
    owners.keep(vec![Part { pid: 7, from: 0, end: u32::MAX, seen: Seen::Gone }]);
    assert!(owners.entries.is_empty());
}

/// Made-up processes in a directory: what the kernel's list would show at one moment.
struct Machine(tempfile::TempDir);

impl Machine {
    /// With a first process, so that none is hidden.
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.start(1, &[]);
        machine
    }

    fn owners(&self) -> Owners {
        let mut owners = Owners::new(Duration::from_hours(1));
        owners.proc = self.0.path().into();
        owners
    }

    fn start(&self, pid: u32, sockets: &[(u32, u64)]) {
        let directory = self.0.path().join(pid.to_string());
        std::fs::create_dir_all(directory.join("fd")).unwrap();
        std::fs::create_dir_all(directory.join(format!("task/{pid}"))).unwrap();
        std::fs::write(directory.join("comm"), "made-up\n").unwrap();
        for (descriptor, inode) in sockets {
            self.open(pid, *descriptor, *inode);
        }
    }

    fn link(&self, pid: u32, descriptor: u32) -> PathBuf {
        self.0.path().join(format!("{pid}/fd/{descriptor}"))
    }

    fn open(&self, pid: u32, descriptor: u32, inode: u64) {
        let target = format!("socket:[{inode}]");
        std::os::unix::fs::symlink(target, self.link(pid, descriptor)).unwrap();
    }

    fn close(&self, pid: u32, descriptor: u32) {
        std::fs::remove_file(self.link(pid, descriptor)).unwrap();
    }
}

/// The processes that a snapshot of these sockets shows for each, and how many were read.
fn look(owners: &mut Owners, inodes: &[u64]) -> (Vec<Vec<u32>>, usize) {
    let mut snapshot = Snapshot::new();
    for inode in inodes {
        let ends = ([127, 0, 0, 1], 1).into();
        let mut row = Row::new(Protocol::Tcp, State::Established, (ends, ends));
        (row.inode, row.uid) = (*inode, rustix::process::getuid().as_raw());
        snapshot.rows.push(row);
    }
    owners.attach(&mut snapshot).unwrap();
    let pids = |row: SocketRow<'_>| row.holdings().map(|held| held.process.pid()).collect();
    let read = snapshot.coverage.processes.unwrap().read;
    (snapshot.iter().map(pids).collect(), read)
}

#[test]
fn what_is_held_by_nobody_is_looked_for_twice() {
    let machine = Machine::new();
    machine.start(10, &[(3, 100)]);
    let mut owners = machine.owners();
    let nobodys = [100, 7];
    for read in [2, 2, 0, 0] {
        assert_eq!(look(&mut owners, &nobodys), (vec![vec![10], vec![]], read));
    }
    // Another one: in all processes, twice.
    for read in [2, 2, 0] {
        assert_eq!(look(&mut owners, &[100, 7, 8]), (vec![vec![10], vec![], vec![]], read));
    }
    // When all are read again, that is one of the two.
    owners.recheck_after = Duration::ZERO;
    assert_eq!(look(&mut owners, &nobodys).1, 2);
    owners.recheck_after = Duration::from_hours(1);
    assert_eq!(look(&mut owners, &nobodys).1, 0);
    // Nothing is looked for where there is nothing.
    assert_eq!(look(&mut owners, &[]), (vec![], 0));
}

#[test]
fn a_socket_that_went_to_a_child_while_it_was_looked_for_is_found_at_the_next_look() {
    let machine = Machine::new();
    machine.start(10, &[(3, 100)]);
    let mut owners = machine.owners();
    look(&mut owners, &[100]);
    // Its parent is listed and closes it before it is read; the child is not listed.
    assert_eq!(look(&mut owners, &[100, 200]).0, [vec![10], vec![]]);
    machine.start(11, &[(4, 200)]);
    assert_eq!(look(&mut owners, &[100, 200]), (vec![vec![10], vec![11]], 1));
    assert_eq!(look(&mut owners, &[100, 200]).1, 0);
    // The first time, too, when all are read.
    let mut owners = machine.owners();
    look(&mut owners, &[100, 300]);
    machine.start(12, &[(4, 300)]);
    assert_eq!(look(&mut owners, &[100, 300]).0, [vec![10], vec![12]]);
}

#[test]
fn a_new_process_is_seen_with_sockets_that_its_parent_still_has() {
    let machine = Machine::new();
    machine.start(10, &[(3, 100)]);
    let mut owners = machine.owners();
    look(&mut owners, &[100]);
    machine.start(11, &[(3, 100)]);
    assert_eq!(look(&mut owners, &[100]), (vec![vec![10, 11]], 1));
}

#[test]
fn a_socket_that_was_handed_on_while_it_was_looked_for_is_found_at_the_next_look() {
    let machine = Machine::new();
    machine.start(10, &[(3, 100)]);
    let mut owners = machine.owners();
    look(&mut owners, &[100]);
    // On its way from one process that was not read yet to one that was.
    assert_eq!(look(&mut owners, &[100, 200]).0, [vec![10], vec![]]);
    machine.open(10, 4, 200);
    assert_eq!(look(&mut owners, &[100, 200]).0, [vec![10], vec![10]]);
}

#[test]
fn a_server_that_forks_and_uses_the_number_again_is_seen_with_its_next_connection() {
    let machine = Machine::new();
    machine.start(10, &[(3, 100)]);
    let mut owners = machine.owners();
    look(&mut owners, &[100]);
    // The child has the first connection now, and the server another one under that number.
    machine.start(11, &[(3, 100)]);
    machine.close(10, 3);
    machine.open(10, 3, 200);
    look(&mut owners, &[100, 200]);
    assert_eq!(look(&mut owners, &[100, 200]).0, [vec![11], vec![10]]);
}
