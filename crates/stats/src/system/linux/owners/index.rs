//! What was read of processes, the other way round: who has a socket.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;

use super::Entry;
use crate::system::number_map::NumberMap;

/// A descriptor of a process, which is known by its place among those of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) process: u32,
    pub(super) descriptor: u32,
}

/// By inode, the descriptors of each socket. It is kept from one snapshot to the next, and made again
/// where what is known of processes has changed.
#[derive(Debug, Default)]
pub(super) struct Index {
    is_current: bool,
    /// The processes that have sockets, in ascending order.
    pids: Vec<u32>,
    /// The first descriptor of each socket, and whether there are further ones.
    first: NumberMap<(Held, bool)>,
    further: NumberMap<Vec<Held>>,
}

impl Index {
    /// What is known of processes has changed.
    pub(super) const fn outdate(&mut self) {
        self.is_current = false;
    }

    /// Makes it current.
    pub(super) fn update(&mut self, entries: &HashMap<u32, Entry>) {
        if self.is_current {
            return;
        }
        self.first.clear();
        self.further.clear();
        self.pids.clear();
        let holders = entries.iter().filter(|(_, entry)| !entry.sockets.is_empty());
        self.pids.extend(holders.map(|(pid, _)| *pid));
        self.pids.sort_unstable();
        self.first.reserve(entries.values().map(|entry| entry.sockets.len()).sum());
        for (process, pid) in (0..).zip(&self.pids) {
            for found in &entries[pid].sockets {
                let held = Held { process, descriptor: found.descriptor };
                match self.first.entry(found.inode) {
                    Place::Vacant(place) => _ = place.insert((held, false)),
                    Place::Occupied(mut place) => {
                        place.get_mut().1 = true;
                        self.further.entry(found.inode).or_default().push(held);
                    }
                }
            }
        }
        self.is_current = true;
    }

    /// Whether anybody has it.
    pub(super) fn has(&self, inode: u64) -> bool {
        self.first.contains_key(&inode)
    }

    /// Who has it, by process and descriptor.
    pub(super) fn holders(&self, inode: u64) -> impl Iterator<Item = Held> {
        let first = self.first.get(&inode);
        let further = first.filter(|(_, is_shared)| *is_shared);
        let further = further.and_then(|_| self.further.get(&inode)).into_iter().flatten();
        first.map(|(held, _)| *held).into_iter().chain(further.copied())
    }

    /// The processes that [`Held`] counts.
    pub(super) fn pids(&self) -> &[u32] {
        &self.pids
    }
}
