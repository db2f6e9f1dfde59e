//! Which process holds which socket, remembered from one snapshot to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::fs::CWD;
use rustix::io::Errno;

use self::index::Index;
use self::lost::{Lost, SEARCHES};
use super::scan::{self, Found, Holder, Listing, Part, Search, Seen};
use crate::system::number_map::{NumberMap, NumberSet};
use crate::system::process::Process;
use crate::system::row::Row;
use crate::system::snapshot::ProcessCoverage;
use crate::system::{Snapshot, SnapshotError};

mod index;
mod lost;

/// The first process of every PID namespace.
const INIT: u32 = 1;

/// Who holds what.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) recheck_after: Duration,
    /// When all processes were read.
    read_at: Option<Instant>,
    entries: HashMap<u32, Entry>,
    index: Index,
    /// Whether `/proc` does not list the processes of other users.
    are_hidden: bool,
    /// How often sockets were looked for in all processes and found in none.
    unheld: NumberMap<u8>,
    /// Where processes are.
    proc: PathBuf,
}

/// What is known of a process.
#[derive(Debug, Default)]
struct Entry {
    /// In ascending order of descriptors.
    sockets: Vec<Found>,
    /// Who it is and whose; known where one of its sockets was asked for.
    holder: Option<(Arc<Process>, Option<u32>)>,
    is_unreadable: bool,
    /// The inode of its directory in `/proc`, by which another process of its number is told.
    directory: u64,
}

/// The inodes of the sockets of a snapshot that a process may hold.
type Wanted = NumberSet;

impl Owners {
    pub(super) fn new(recheck_after: Duration) -> Self {
        Self {
            recheck_after,
            read_at: None,
            entries: HashMap::new(),
            index: Index::default(),
            are_hidden: false,
            unheld: NumberMap::default(),
            proc: scan::PROC.into(),
        }
    }

    /// Adds to each socket of `snapshot` who holds it.
    pub(super) fn attach(&mut self, snapshot: &mut Snapshot) -> Result<(), SnapshotError> {
        let failed = |error: Errno| SnapshotError::ReadProc {
            path: PathBuf::from("/proc"),
            source: error.into(),
        };
        let read = self.read_and_write(snapshot).map_err(failed)?;
        let unreadable = || self.entries.iter().filter(|(_, entry)| entry.is_unreadable);
        let first_unreadable = unreadable().map(|(pid, _)| *pid).min();
        let unreadable = unreadable().count();
        let seen = self.entries.len() - unreadable;
        snapshot.coverage.processes = Some(ProcessCoverage {
            read: read.min(seen),
            unreadable,
            first_unreadable,
            are_hidden: self.are_hidden,
            remembered: seen.saturating_sub(read),
        });
        Ok(())
    }

    /// Writes the holders into a snapshot, after as much was read as has to be. Returns of how many
    /// processes that was.
    fn read_and_write(&mut self, snapshot: &mut Snapshot) -> Result<usize, Errno> {
        if snapshot.rows.iter().all(|row| row.inode == 0) {
            return Ok(0);
        }
        if self.read_at.is_none_or(|read_at| read_at.elapsed() >= self.recheck_after) {
            let read = self.read_all(&wanted(&snapshot.rows))?;
            self.write(snapshot)?;
            return Ok(read);
        }
        let processes = scan::processes(&self.proc)?;
        self.forget_ended(&processes);
        let mut read = self.read_new(&processes)?;
        let without = self.write(snapshot)?;
        let missing = self.missing(without.iter().map(|place| &snapshot.rows[*place]));
        if !missing.inodes.is_empty() {
            read += self.read_until_found(processes, &wanted(&snapshot.rows), &missing)?;
            self.write(snapshot)?;
        }
        Ok(read)
    }

    fn read_all(&mut self, wanted: &Wanted) -> Result<usize, Errno> {
        let read_at = Instant::now();
        let mut processes = scan::processes(&self.proc)?;
        // Large ones first: one that came last would be one thread's work alone.
        processes.sort_by_key(|process| {
            let entry = self.entries.get(&process.pid);
            std::cmp::Reverse(entry.map(|entry| entry.sockets.len()))
        });
        let search =
            Search { is_wanted: &|inode| wanted.contains(&inode), known: &|_| &[], missing: None };
        let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        let parts = scan::run(&self.proc, &pids, &search)?;
        self.entries.clear();
        self.index.outdate();
        let read = self.keep(parts);
        self.note_listed(&processes);
        self.index.update(&self.entries);
        let before = std::mem::take(&mut self.unheld);
        let searches = |inode| SEARCHES.min(before.get(&inode).map_or(1, |searches| searches + 1));
        let unheld = wanted.iter().filter(|inode| !self.index.has(**inode));
        self.unheld = unheld.map(|inode| (*inode, searches(*inode))).collect();
        self.read_at = Some(read_at);
        Ok(read)
    }

    /// Reads the processes that are new: they may have sockets of others from their beginning.
    fn read_new(&mut self, processes: &[Listing]) -> Result<usize, Errno> {
        let is_new = |process: &&Listing| !self.entries.contains_key(&process.pid);
        let new: Vec<Listing> = processes.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return Ok(0);
        }
        // Whatever they have: they are few.
        let search = Search { is_wanted: &|_| true, known: &|_| &[], missing: None };
        let pids: Vec<u32> = new.iter().map(|process| process.pid).collect();
        let parts = scan::run(&self.proc, &pids, &search)?;
        let read = self.keep(parts);
        self.note_listed(processes);
        Ok(read)
    }

    /// Looks for sockets that are new. The likely holders come first: processes of the sockets' users
    /// that hold some already, small ones first.
    fn read_until_found(
        &mut self,
        mut processes: Vec<Listing>,
        wanted: &Wanted,
        lost: &Lost,
    ) -> Result<usize, Errno> {
        let Lost { inodes: missing, users, is_doubted } = lost;
        processes.sort_by_cached_key(|process| match self.entries.get(&process.pid) {
            None => (0, 0),
            Some(Entry { sockets, holder: Some((_, user)), .. }) => {
                let is_theirs = user.is_some_and(|user| users.contains(&user));
                (if is_theirs { 1 } else { 2 }, sockets.len())
            }
            Some(entry) => (3, entry.sockets.len()),
        });
        let entries = &self.entries;
        let known = |pid: u32| match entries.get(&pid) {
            Some(entry) if !is_doubted => &entry.sockets[..],
            _ => &[],
        };
        let search = Search {
            is_wanted: &|inode| wanted.contains(&inode),
            known: &known,
            missing: Some(missing),
        };
        let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        let parts = scan::run(&self.proc, &pids, &search)?;
        let read = self.keep(parts);
        self.note_listed(&processes);
        for (inode, is_found) in missing {
            if is_found.load(Ordering::Relaxed) {
                self.unheld.remove(inode);
            } else {
                *self.unheld.entry(*inode).or_default() += 1;
            }
        }
        Ok(read)
    }

    /// Takes in what was read. Returns of how many processes.
    fn keep(&mut self, parts: Vec<Part>) -> usize {
        let mut read = 0;
        for Part { pid, from, end, seen } in parts {
            match seen {
                Seen::Gone => {
                    self.entries.remove(&pid);
                    self.index.outdate();
                }
                Seen::Unreadable => {
                    let unreadable = Entry { is_unreadable: true, ..Entry::default() };
                    let before = self.entries.insert(pid, unreadable);
                    if before.is_some_and(|before| !before.sockets.is_empty()) {
                        self.index.outdate();
                    }
                }
                Seen::Sockets { found, holder } => {
                    read += usize::from(from == 0);
                    let entry = self.entries.entry(pid).or_default();
                    entry.is_unreadable = false;
                    if entry.replace(from, end, found) {
                        self.index.outdate();
                    }
                    if let Some(holder) = holder {
                        let Holder { name, uid } = holder;
                        entry.holder = Some((Arc::new(Process { pid, name }), Some(uid)));
                    }
                }
            }
        }
        read
    }

    fn note_listed(&mut self, processes: &[Listing]) {
        // There is always a first one.
        self.are_hidden = processes.iter().all(|process| process.pid != INIT);
        for process in processes {
            if let Some(entry) = self.entries.get_mut(&process.pid) {
                entry.directory = process.inode;
            }
        }
    }

    /// Forgets processes that have ended, or whose number is another one's now.
    fn forget_ended(&mut self, processes: &[Listing]) {
        let living: HashMap<u32, u64> =
            processes.iter().map(|process| (process.pid, process.inode)).collect();
        let before = self.entries.len();
        self.entries.retain(|pid, entry| living.get(pid) == Some(&entry.directory));
        if self.entries.len() < before {
            self.index.outdate();
        }
    }

    /// Writes the holders of each socket into its row. Returns the places of those that a process may
    /// hold and none is known to.
    fn write(&mut self, snapshot: &mut Snapshot) -> Result<Vec<usize>, Errno> {
        self.index.update(&self.entries);
        let Self { index, entries, proc, .. } = self;
        let Snapshot { rows, holdings, processes, .. } = snapshot;
        holdings.clear();
        holdings.reserve(rows.len());
        processes.clear();
        let mut without = Vec::new();
        // Where each process is in the snapshot; `None` within: it has ended since it was read.
        let mut places: Vec<Option<Option<u32>>> = vec![None; index.pids().len()];
        for (at, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.inode != 0) {
            let begin = holdings.len() as u32;
            let mut is_held = false;
            for held in index.holders(row.inode) {
                is_held = true;
                let place = &mut places[held.process as usize];
                let place = if let Some(place) = *place {
                    place
                } else {
                    let pid = index.pids()[held.process as usize];
                    let entry = entries.get_mut(&pid);
                    let process = entry.map(|entry| entry.process(proc, pid)).transpose()?;
                    *place.insert(process.flatten().map(|process| {
                        processes.push(process);
                        processes.len() as u32 - 1
                    }))
                };
                holdings.extend(place.map(|place| (place, held.descriptor)));
            }
            row.holdings = (begin, holdings.len() as u32);
            if !is_held {
                without.push(at);
            }
        }
        Ok(without)
    }
}

/// The sockets of `rows` that a process may hold.
fn wanted(rows: &[Row]) -> Wanted {
    rows.iter().map(|row| row.inode).filter(|inode| *inode != 0).collect()
}

impl Entry {
    /// Puts what was found from one descriptor on and before another in the place of what was known.
    /// Returns whether that was something else.
    fn replace(&mut self, from: u32, end: u32, found: Vec<Found>) -> bool {
        if self.sockets.is_empty() {
            self.sockets = found;
            return !self.sockets.is_empty();
        }
        let begin = self.sockets.partition_point(|known| known.descriptor < from);
        let end = self.sockets.partition_point(|known| known.descriptor < end);
        let known = begin..end.max(begin);
        let is_other = self.sockets[known.clone()] != found[..];
        if is_other {
            self.sockets.splice(known, found);
        }
        is_other
    }

    /// Who it is; `None` where it has ended before anybody asked.
    fn process(&mut self, proc: &Path, pid: u32) -> Result<Option<Arc<Process>>, Errno> {
        if self.holder.is_none() {
            // A socket that nobody had asked for when the process was read.
            let name = scan::name(CWD, proc.join(pid.to_string()).join("comm"))?;
            self.holder = name.map(|name| (Arc::new(Process { pid, name }), None));
        }
        Ok(self.holder.as_ref().map(|(process, _)| Arc::clone(process)))
    }
}

#[cfg(test)]
mod tests;
