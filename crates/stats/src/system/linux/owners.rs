//! Which process holds which socket, remembered from one snapshot to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::fs::CWD;
use rustix::io::Errno;

use self::lost::{Lost, SEARCHES};
use super::scan::{self, Found, Holder, Listing, Part, Search, Seen};
use crate::system::number_map::NumberMap;
use crate::system::process::Process;
use crate::system::row::Row;
use crate::system::snapshot::ProcessCoverage;
use crate::system::{Snapshot, SnapshotError};

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

/// A socket, by its place among those wanted, and who has it.
#[derive(Clone, Copy, Debug)]
struct Held {
    place: u32,
    pid: u32,
    descriptor: u32,
}

/// The sockets of a snapshot that a process may hold, each with its place in a list.
type Wanted = NumberMap<u32>;

impl Owners {
    pub(super) fn new(recheck_after: Duration) -> Self {
        Self {
            recheck_after,
            read_at: None,
            entries: HashMap::new(),
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
        let wanted = wanted(&mut snapshot.rows);
        let (read, held) = self.held(&wanted, &snapshot.rows).map_err(failed)?;
        self.write(&held, wanted.len(), snapshot).map_err(failed)?;
        let unreadable = self.entries.values().filter(|entry| entry.is_unreadable).count();
        let seen = self.entries.len() - unreadable;
        snapshot.coverage.processes = Some(ProcessCoverage {
            read: read.min(seen),
            unreadable,
            are_hidden: self.are_hidden,
            remembered: seen.saturating_sub(read),
        });
        Ok(())
    }

    /// Who holds what is wanted, after as much was read as has to be; and of how many processes that
    /// was.
    fn held(&mut self, wanted: &Wanted, rows: &[Row]) -> Result<(usize, Vec<Held>), Errno> {
        if wanted.is_empty() {
            return Ok((0, Vec::new()));
        }
        if self.read_at.is_none_or(|read_at| read_at.elapsed() >= self.recheck_after) {
            let read = self.read_all(wanted)?;
            return Ok((read, self.find(wanted)));
        }
        let processes = scan::processes(&self.proc)?;
        self.forget_ended(&processes);
        let mut read = self.read_new(&processes, wanted)?;
        let held = self.find(wanted);
        let missing = self.missing(&held, wanted.len(), rows);
        if missing.inodes.is_empty() {
            return Ok((read, held));
        }
        read += self.read_until_found(processes, wanted, &missing)?;
        Ok((read, self.find(wanted)))
    }

    fn read_all(&mut self, wanted: &Wanted) -> Result<usize, Errno> {
        let read_at = Instant::now();
        let mut processes = scan::processes(&self.proc)?;
        // Large ones first: one that came last would be one thread's work alone.
        processes.sort_by_key(|process| {
            let entry = self.entries.get(&process.pid);
            std::cmp::Reverse(entry.map(|entry| entry.sockets.len()))
        });
        let search = Search {
            is_wanted: &|inode| wanted.contains_key(&inode),
            known: &|_| &[],
            missing: None,
        };
        let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        let parts = scan::run(&self.proc, &pids, &search)?;
        self.entries.clear();
        let read = self.keep(parts);
        self.note_listed(&processes);
        let before = std::mem::take(&mut self.unheld);
        let searches = |inode| SEARCHES.min(before.get(&inode).map_or(1, |searches| searches + 1));
        self.unheld = wanted.keys().map(|inode| (*inode, searches(*inode))).collect();
        for found in self.entries.values().flat_map(|entry| &entry.sockets) {
            self.unheld.remove(&found.inode);
        }
        self.read_at = Some(read_at);
        Ok(read)
    }

    /// Reads the processes that are new: they may have sockets of others from their beginning.
    fn read_new(&mut self, processes: &[Listing], wanted: &Wanted) -> Result<usize, Errno> {
        let is_new = |process: &&Listing| !self.entries.contains_key(&process.pid);
        let new: Vec<Listing> = processes.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return Ok(0);
        }
        let search = Search {
            is_wanted: &|inode| wanted.contains_key(&inode),
            known: &|_| &[],
            missing: None,
        };
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
            is_wanted: &|inode| wanted.contains_key(&inode),
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
                }
                Seen::Unreadable => {
                    self.entries.insert(pid, Entry { is_unreadable: true, ..Entry::default() });
                }
                Seen::Sockets { found, holder } => {
                    read += usize::from(from == 0);
                    let entry = self.entries.entry(pid).or_default();
                    entry.is_unreadable = false;
                    entry.replace(from, end, found);
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
        self.entries.retain(|pid, entry| living.get(pid) == Some(&entry.directory));
    }

    /// Who holds what is wanted, by pid and descriptor.
    fn find(&self, wanted: &Wanted) -> Vec<Held> {
        let mut pids: Vec<u32> = self.entries.keys().copied().collect();
        pids.sort_unstable();
        let mut held = Vec::with_capacity(wanted.len());
        for pid in pids {
            for found in &self.entries[&pid].sockets {
                if let Some(place) = wanted.get(&found.inode) {
                    held.push(Held { place: *place, pid, descriptor: found.descriptor });
                }
            }
        }
        held
    }

    /// Writes the holders of each socket into its row.
    fn write(
        &mut self,
        held: &[Held],
        places: usize,
        snapshot: &mut Snapshot,
    ) -> Result<(), Errno> {
        // Where the run of each socket begins; then each holder is put into the run.
        let mut begins = vec![0_u32; places + 1];
        let mut of_process = Vec::with_capacity(held.len());
        for held in held.chunk_by(|one, next| one.pid == next.pid) {
            let pid = held[0].pid;
            let Some(entry) = self.entries.get_mut(&pid) else { continue };
            // It has ended since its descriptors were read.
            let Some(process) = entry.process(&self.proc, pid)? else { continue };
            let index = snapshot.processes.len() as u32;
            snapshot.processes.push(process);
            for held in held {
                begins[held.place as usize] += 1;
                of_process.push((held.place, index, held.descriptor));
            }
        }
        let mut sum = 0;
        for begin in &mut begins {
            sum += std::mem::replace(begin, sum);
        }
        let mut next = begins.clone();
        snapshot.holdings = vec![(0, 0); of_process.len()];
        for (place, process, descriptor) in of_process {
            let at = &mut next[place as usize];
            snapshot.holdings[*at as usize] = (process, descriptor);
            *at += 1;
        }
        for row in snapshot.rows.iter_mut().filter(|row| row.inode != 0) {
            let place = row.holdings.0 as usize;
            row.holdings = (begins[place], begins[place + 1]);
        }
        Ok(())
    }
}

/// The sockets of `rows` that a process may hold. Each row keeps the place of its own for a while.
fn wanted(rows: &mut [Row]) -> Wanted {
    let mut wanted = Wanted::with_capacity_and_hasher(rows.len(), <_>::default());
    for row in rows.iter_mut().filter(|row| row.inode != 0) {
        let next = wanted.len() as u32;
        row.holdings.0 = *wanted.entry(row.inode).or_insert(next);
    }
    wanted
}

impl Entry {
    /// Puts what was found from one descriptor on and before another in the place of what was known.
    fn replace(&mut self, from: u32, end: u32, found: Vec<Found>) {
        if self.sockets.is_empty() {
            self.sockets = found;
            return;
        }
        let begin = self.sockets.partition_point(|known| known.descriptor < from);
        let end = self.sockets.partition_point(|known| known.descriptor < end);
        self.sockets.splice(begin..end.max(begin), found);
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
