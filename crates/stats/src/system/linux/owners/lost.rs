//! Sockets whose process is not known: which of them are looked for, and how often.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use super::Owners;
use crate::system::linux::scan::Missing;
use crate::system::row::Row;

/// So many times a socket is looked for in all processes. One that is in none may have changed hands
/// while they were read, or have come to a process under the number of another one's socket, which the
/// first search believes and the second does not.
pub(super) const SEARCHES: u8 = 2;

/// Sockets that are looked for, and of which users they are.
#[derive(Default)]
pub(super) struct Lost {
    pub(super) inodes: Missing,
    pub(super) users: HashSet<u32>,
    /// Whether what was known of processes is not believed.
    pub(super) is_doubted: bool,
}

impl Owners {
    /// Which of the sockets that nobody is known to have are to be looked for: all, unless that was done
    /// often enough.
    pub(super) fn missing<'a>(&self, without: impl Iterator<Item = &'a Row>) -> Lost {
        let mut lost = Lost::default();
        // `None` within: all processes are seen.
        let mut seen_users: Option<Option<HashSet<u32>>> = None;
        for row in without {
            let searches = self.unheld.get(&row.inode).copied().unwrap_or_default();
            if searches >= SEARCHES {
                continue;
            }
            if searches > 0 {
                let seen =
                    seen_users.get_or_insert_with(|| self.any_unseen().then(|| self.users()));
                // It is most likely a process's that is not ours to read.
                if seen.as_ref().is_some_and(|users| !users.contains(&row.uid)) {
                    continue;
                }
                lost.is_doubted = true;
            }
            lost.inodes.insert(row.inode, AtomicBool::new(false));
            lost.users.insert(row.uid);
        }
        lost
    }

    /// Whose processes were read and have sockets.
    fn users(&self) -> HashSet<u32> {
        self.entries.values().filter_map(|entry| entry.holder.as_ref()?.1).collect()
    }

    fn any_unseen(&self) -> bool {
        self.are_hidden || self.entries.values().any(|entry| entry.is_unreadable)
    }
}
