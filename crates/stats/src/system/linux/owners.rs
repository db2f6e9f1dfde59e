//! Which process holds which socket, remembered from one snapshot to the next.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::CWD;
use rustix::io::Errno;

use super::scan::{self, Found, Holder, Missing, Part, Search, Seen};
use super::stat::Stat;
use crate::system::number_map::{NumberMap, NumberSet};
use crate::system::process::Process;
use crate::system::row::Row;
use crate::system::snapshot::ProcessCoverage;
use crate::system::{Snapshot, SnapshotError};

/// Who holds what.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) recheck_after: Duration,
    /// When all processes were read.
    read_at: Option<Instant>,
    entries: HashMap<u32, Entry>,
    /// Sockets that were looked for in all processes and found in none.
    unheld: NumberSet,
}

/// What is known of a process.
#[derive(Debug, Default)]
struct Entry {
    /// In ascending order of descriptors.
    sockets: Vec<Found>,
    /// Who it is and whose; known where one of its sockets was asked for.
    holder: Option<(Arc<Process>, Option<u32>)>,
    is_unreadable: bool,
}

/// The sockets of a snapshot that a process may hold, each with its place in a list.
type Wanted = NumberMap<u32>;

impl Owners {
    pub(super) fn new(recheck_after: Duration) -> Self {
        Self { recheck_after, read_at: None, entries: HashMap::new(), unheld: NumberSet::default() }
    }

    /// Adds to each socket of `snapshot` who holds it.
    pub(super) fn attach(&mut self, snapshot: &mut Snapshot) -> Result<(), SnapshotError> {
        let mut wanted = Wanted::with_capacity_and_hasher(snapshot.rows.len(), <_>::default());
        for row in snapshot.rows.iter().filter(|row| row.inode != 0) {
            let next = wanted.len() as u32;
            wanted.entry(row.inode).or_insert(next);
        }
        let failed = |error: Errno| SnapshotError::ReadProc {
            path: PathBuf::from("/proc"),
            source: error.into(),
        };
        let read = self.read(&wanted, &snapshot.rows).map_err(failed)?;
        self.write(&wanted, snapshot).map_err(failed)?;
        let unreadable = self.entries.values().filter(|entry| entry.is_unreadable).count();
        let seen = self.entries.len() - unreadable;
        snapshot.coverage.processes = Some(ProcessCoverage {
            read: read.min(seen),
            unreadable,
            remembered: seen.saturating_sub(read),
        });
        Ok(())
    }

    /// Reads what has to be read. Returns of how many processes.
    fn read(&mut self, wanted: &Wanted, rows: &[Row]) -> Result<usize, Errno> {
        if wanted.is_empty() {
            return Ok(0);
        }
        if self.read_at.is_none_or(|read_at| read_at.elapsed() >= self.recheck_after) {
            return self.read_all(wanted);
        }
        self.forget_ended()?;
        let mut missing: Missing = wanted
            .keys()
            .filter(|inode| !self.unheld.contains(inode))
            .map(|inode| (*inode, AtomicBool::new(false)))
            .collect();
        for entry in self.entries.values() {
            for found in &entry.sockets {
                missing.remove(&found.inode);
            }
        }
        if missing.is_empty() {
            return Ok(0);
        }
        let users = rows.iter().filter(|row| missing.contains_key(&row.inode));
        let users = users.map(|row| row.uid).collect();
        self.read_until_found(wanted, &missing, &users)
    }

    fn read_all(&mut self, wanted: &Wanted) -> Result<usize, Errno> {
        let read_at = Instant::now();
        let mut pids = scan::pids()?;
        // The likely ones first: a large one that came last would be one thread's work alone.
        pids.sort_by_key(|pid| {
            std::cmp::Reverse(self.entries.get(pid).map(|entry| entry.sockets.len()))
        });
        let search = Search {
            is_wanted: &|inode| wanted.contains_key(&inode),
            known: &|_| &[],
            missing: None,
        };
        let parts = scan::run(&pids, &search)?;
        self.entries.clear();
        self.unheld.clear();
        let read = self.keep(parts);
        self.note_unheld(wanted.keys().copied());
        self.read_at = Some(read_at);
        Ok(read)
    }

    /// Looks for sockets that are new. The likely holders come first: processes that are new
    /// themselves, then those of the sockets' users that hold some already, small ones first.
    fn read_until_found(
        &mut self,
        wanted: &Wanted,
        missing: &Missing,
        users: &HashSet<u32>,
    ) -> Result<usize, Errno> {
        let mut pids = scan::pids()?;
        let living: HashSet<u32> = pids.iter().copied().collect();
        self.entries.retain(|pid, _| living.contains(pid));
        pids.sort_by_cached_key(|pid| match self.entries.get(pid) {
            None => (0, 0),
            Some(Entry { sockets, holder: Some((_, user)), .. }) => {
                let is_theirs = user.is_some_and(|user| users.contains(&user));
                (if is_theirs { 1 } else { 2 }, sockets.len())
            }
            Some(entry) => (3, entry.sockets.len()),
        });
        let entries = &self.entries;
        let search = Search {
            is_wanted: &|inode| wanted.contains_key(&inode),
            known: &|pid| entries.get(&pid).map_or(&[], |entry| &entry.sockets),
            missing: Some(missing),
        };
        let parts = scan::run(&pids, &search)?;
        let read = self.keep(parts);
        let still = missing.iter().filter(|(_, is_found)| !is_found.load(Ordering::Relaxed));
        self.unheld.extend(still.map(|(inode, _)| *inode));
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
                        let Holder { stat, uid } = holder;
                        entry.holder = Some(named(pid, stat, Some(uid)));
                    }
                }
            }
        }
        read
    }

    fn note_unheld(&mut self, wanted: impl Iterator<Item = u64>) {
        let mut unheld: NumberSet = wanted.collect();
        for found in self.entries.values().flat_map(|entry| &entry.sockets) {
            unheld.remove(&found.inode);
        }
        self.unheld = unheld;
    }

    /// Forgets processes that have ended, or whose number is another one's now.
    fn forget_ended(&mut self) -> Result<(), Errno> {
        let mut ended = Vec::new();
        for (pid, entry) in &self.entries {
            if let Some((process, _)) = &entry.holder {
                let now = Stat::read(CWD, format!("/proc/{pid}/stat"))?;
                if now.is_none_or(|now| now.started != process.started) {
                    ended.push(*pid);
                }
            }
        }
        for pid in ended {
            self.entries.remove(&pid);
        }
        Ok(())
    }

    /// Writes the holders of each socket into its row.
    fn write(&mut self, wanted: &Wanted, snapshot: &mut Snapshot) -> Result<(), Errno> {
        let mut pids: Vec<u32> = self.entries.keys().copied().collect();
        pids.sort_unstable();
        // Each socket with its holders: where its run begins, then sorted into the runs.
        let mut begins = vec![0_u32; wanted.len() + 1];
        let mut held: Vec<(u32, u32, u32)> = Vec::with_capacity(wanted.len());
        for pid in pids {
            let Some(entry) = self.entries.get_mut(&pid) else { continue };
            let of_process = held.len();
            let index = snapshot.processes.len() as u32;
            for found in &entry.sockets {
                if let Some(place) = wanted.get(&found.inode) {
                    begins[*place as usize] += 1;
                    held.push((*place, index, found.descriptor));
                }
            }
            if held.len() == of_process {
                continue;
            }
            match entry.process(pid)? {
                Some(process) => snapshot.processes.push(process),
                // It ended since its descriptors were read.
                None => {
                    for (place, ..) in held.drain(of_process..) {
                        begins[place as usize] -= 1;
                    }
                }
            }
        }
        let mut sum = 0;
        for begin in &mut begins {
            sum += std::mem::replace(begin, sum);
        }
        let mut next = begins.clone();
        snapshot.holdings = vec![(0, 0); held.len()];
        for (place, process, descriptor) in held {
            let at = &mut next[place as usize];
            snapshot.holdings[*at as usize] = (process, descriptor);
            *at += 1;
        }
        for row in snapshot.rows.iter_mut().filter(|row| row.inode != 0) {
            if let Some(place) = wanted.get(&row.inode) {
                let place = *place as usize;
                row.holdings = (begins[place], begins[place + 1]);
            }
        }
        Ok(())
    }
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
    fn process(&mut self, pid: u32) -> Result<Option<Arc<Process>>, Errno> {
        if self.holder.is_none() {
            // A socket that nobody had asked for when the process was read.
            let stat = Stat::read(CWD, format!("/proc/{pid}/stat"))?;
            self.holder = stat.map(|stat| named(pid, stat, None));
        }
        Ok(self.holder.as_ref().map(|(process, _)| Arc::clone(process)))
    }
}

fn named(pid: u32, stat: Stat, user: Option<u32>) -> (Arc<Process>, Option<u32>) {
    let Stat { name, started, .. } = stat;
    (Arc::new(Process { pid, name, started }), user)
}

#[cfg(test)]
mod tests;
