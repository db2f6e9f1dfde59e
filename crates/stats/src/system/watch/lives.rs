//! What a watch remembers of sockets from one look to the next.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::record::{self, ProcessRecord, SocketRecord};
use crate::system::number_map::{NumberMap, NumberSet};
use crate::system::row::Row;
use crate::system::{
    Change, EndedSocket, Protocol, Query, Snapshot, SocketRow, SocketWatch, State, Traffic,
};

type Ends = (SocketAddr, SocketAddr);

/// By cookie, what is known of sockets that the snapshot does not tell, or does not tell any more.
///
/// The kernel gives a socket its cookie when somebody looks at it, and TIME-WAIT inherits that. A
/// connection that was never looked at before TIME-WAIT has two: its own, which only its end tells,
/// and another in the snapshots.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// Since when each is seen, and whether from its beginning.
    seen: NumberMap<(Instant, bool)>,
    /// What those have moved whose end was heard while they are listed.
    moved: NumberMap<Option<Traffic>>,
    /// Who had those that nobody has any more.
    owners: NumberMap<Owner>,
    /// Those that were told to be gone before their end was heard: the kernel tells of it from a work
    /// queue and, of UDP, after a grace period.
    awaited: Awaited,
    /// Those seen only in TIME-WAIT, before their end was heard.
    nameless: NumberSet,
    /// Those seen only in TIME-WAIT, after they were told as heard to end.
    told: NumberSet,
    /// What was heard to end at the last look and not seen: it may be seen in TIME-WAIT yet.
    heard: HashSet<Ends>,
}

/// Cookies, at most [`SocketWatch::MOST_AWAITED`]: half of them young, half of them old.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    young: NumberSet,
    old: NumberSet,
    pub(super) forgotten: u64,
}

impl Awaited {
    pub(super) fn insert(&mut self, cookie: u64) {
        if self.young.len() >= SocketWatch::MOST_AWAITED / 2 {
            self.forgotten += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(cookie);
    }

    pub(super) fn remove(&mut self, cookie: u64) -> bool {
        self.young.remove(&cookie) || self.old.remove(&cookie)
    }
}

#[derive(Clone, Debug)]
struct Owner {
    uid: Option<u32>,
    processes: Vec<ProcessRecord>,
}

/// How a socket was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) seen: Duration,
    pub(super) is_whole: bool,
    pub(super) traffic: Option<Traffic>,
}

impl Lives {
    /// Of the first look, or of one that is to be taken for that: nothing is known from before.
    pub(super) fn begin(&mut self, now: &Snapshot, at: Instant) {
        let forgotten = self.awaited.forgotten;
        *self = Self { awaited: Awaited { forgotten, ..Awaited::default() }, ..Self::default() };
        self.seen.extend(now.iter().filter_map(|row| Some((row.cookie()?, (at, false)))));
    }

    /// Takes in the ends that were heard, before the changes. Returns those of sockets that no look
    /// saw, and that the query asks for.
    pub(super) fn hear(
        &mut self,
        heard: &[EndedSocket],
        changes: &[Change<'_>],
        (then, now): (&Snapshot, &Snapshot),
        query: &Query,
    ) -> Vec<EndedSocket> {
        let heard_before = std::mem::take(&mut self.heard);
        for change in changes {
            if let Change::Opened(SocketRow { row, .. }) = change
                && row.cookie != 0
                && row.is_remnant()
            {
                let is_told = heard_before.contains(&(row.local, row.peer));
                let list = if is_told { &mut self.told } else { &mut self.nameless };
                list.insert(row.cookie);
            }
        }
        if heard.is_empty() {
            return Vec::new();
        }
        // Of the few that were heard, not of all that are listed.
        let cookies: NumberSet = heard.iter().filter_map(|ended| ended.cookie).collect();
        let listed: NumberSet = [then, now]
            .iter()
            .flat_map(|snapshot| &snapshot.rows)
            .map(|row| row.cookie)
            .filter(|cookie| cookies.contains(cookie))
            .collect();
        let nameless: HashMap<Ends, u64> = now
            .rows
            .iter()
            .filter(|row| self.nameless.contains(&row.cookie))
            .map(|row| ((row.local, row.peer), row.cookie))
            .collect();
        let mut unseen = Vec::new();
        for ended in heard {
            let ends = (ended.local, ended.peer);
            let cookie = match ended.cookie {
                Some(cookie) if self.awaited.remove(cookie) => continue,
                Some(cookie) if listed.contains(&cookie) => Some(cookie),
                _ if ended.protocol == Protocol::Tcp => {
                    nameless.get(&ends).copied().filter(|cookie| self.nameless.remove(cookie))
                }
                _ => None,
            };
            match (cookie, ended.tcp) {
                (Some(cookie), Some(tcp)) => _ = self.moved.insert(cookie, Traffic::of(&tcp)),
                (None, _) if query.matches(&record::row_of(ended)) => {
                    if ended.protocol == Protocol::Tcp {
                        self.heard.insert(ends);
                    }
                    unseen.push(*ended);
                }
                (Some(_), None) | (None, _) => {}
            }
        }
        unseen
    }

    /// It is new. `None` where it was told as heard to end.
    pub(super) fn open(&mut self, row: SocketRow<'_>, at: Instant) -> Option<SocketRecord> {
        if self.told.contains(&row.row.cookie) {
            return None;
        }
        self.seen.extend(row.cookie().map(|cookie| (cookie, (at, true))));
        Some(SocketRecord::of(row))
    }

    /// It is in another state: with who had it, where nobody has it any more. `None` as in
    /// [`open`](Self::open).
    pub(super) fn change(
        &mut self,
        before: SocketRow<'_>,
        after: SocketRow<'_>,
    ) -> Option<SocketRecord> {
        let cookie = after.row.cookie;
        if self.told.contains(&cookie) {
            return None;
        }
        let mut record = SocketRecord::of(after);
        if after.row.inode == 0 {
            let owner = self.owners.remove(&cookie).unwrap_or_else(|| Owner::of(before));
            owner.clone().write(&mut record);
            if cookie != 0 {
                self.owners.insert(cookie, owner);
            }
            // Of what is kept of it the kernel does not tell it.
            let traffic = before.traffic();
            if traffic.is_some() && after.row.is_remnant() && cookie != 0 {
                self.moved.entry(cookie).or_insert(traffic);
            }
        }
        Some(record)
    }

    /// It is gone: how it was, and with whoever had it last. `None` as in [`open`](Self::open).
    /// `is_heard`: the kernel tells of ends.
    pub(super) fn close(
        &mut self,
        row: SocketRow<'_>,
        (then, at): (Instant, Instant),
        is_heard: bool,
    ) -> Option<(Life, SocketRecord)> {
        let cookie = row.row.cookie;
        if self.told.remove(&cookie) {
            return None;
        }
        let (since, is_whole) = self.seen.remove(&cookie).unwrap_or((then, false));
        let ended = self.moved.remove(&cookie);
        let owner = self.owners.remove(&cookie);
        self.nameless.remove(&cookie);
        if is_heard && ended.is_none() && cookie != 0 && tells_its_end(row.row) {
            self.awaited.insert(cookie);
        }
        let traffic = ended.unwrap_or_else(|| row.traffic());
        let mut record = SocketRecord::of(row);
        if let Some(owner) = owner.filter(|_| row.row.inode == 0) {
            owner.write(&mut record);
        }
        Some((Life { seen: at.saturating_duration_since(since), is_whole, traffic }, record))
    }

    /// How many were forgotten before their end was heard.
    pub(super) const fn forgotten(&self) -> u64 {
        self.awaited.forgotten
    }
}

/// Whether the kernel tells when it destroys a socket like this (`sock_diag_broadcast_destroy`).
fn tells_its_end(row: &Row) -> bool {
    matches!(row.protocol, Protocol::Tcp | Protocol::Udp)
        && !row.is_remnant()
        && row.state != State::SynReceived
}

impl Owner {
    fn of(row: SocketRow<'_>) -> Self {
        let SocketRecord { uid, processes, .. } = SocketRecord::of(row);
        Self { uid, processes }
    }

    fn write(self, record: &mut SocketRecord) {
        (record.uid, record.processes) = (self.uid, self.processes);
    }
}
