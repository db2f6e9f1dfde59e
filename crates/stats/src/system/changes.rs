//! What is different between two snapshots.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::number_map::NumberMap;
use super::row::Row;
use super::{Protocol, Snapshot, SocketRow, State};

/// A difference between two snapshots of the same query.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A socket that was not there before.
    Opened(SocketRow<'a>),
    /// A socket that is not there any more, as it was.
    Closed(SocketRow<'a>),
    /// A socket in another state.
    StateChanged {
        /// As it was.
        before: SocketRow<'a>,
        /// As it is.
        after: SocketRow<'a>,
    },
}

/// What tells sockets apart where the kernel gives them no cookie.
type Ends = (Protocol, SocketAddr, SocketAddr, u64);

/// The sockets of a snapshot by what they are known by; each entry is their place.
#[derive(Debug, Default)]
struct Index {
    cookies: NumberMap<u32>,
    ends: HashMap<Ends, u32>,
}

impl Index {
    fn of(snapshot: &Snapshot) -> Self {
        let mut index = Self::default();
        index.cookies.reserve(snapshot.rows.len());
        for (row, place) in snapshot.rows.iter().zip(0..) {
            match row.cookie {
                0 => index.ends.insert(ends(row), place),
                cookie => index.cookies.insert(cookie, place),
            };
        }
        index
    }

    fn place(&self, row: &Row) -> Option<u32> {
        match row.cookie {
            0 => self.ends.get(&ends(row)).copied(),
            cookie => self.cookies.get(&cookie).copied(),
        }
    }

    /// Whether `row`, at this place, stands for its socket: a dump may tell of one twice, and then
    /// the later row does.
    fn is_at(&self, row: &Row, place: usize) -> bool {
        self.place(row).is_some_and(|known| known as usize == place)
    }
}

const fn ends(row: &Row) -> Ends {
    (row.protocol, row.local, row.peer, row.inode)
}

/// The connections without a cookie that are not there any more, by their ends. Whoever accepts or
/// closes a connection changes its inode, from or to 0: it is the same one under another inode.
#[derive(Debug, Default)]
struct Renamed(HashMap<(SocketAddr, SocketAddr), u32>);

impl Renamed {
    fn note(&mut self, row: &Row, place: usize) {
        if row.cookie == 0 && row.is_connection() && row.state != State::TimeWait {
            self.0.insert((row.local, row.peer), place as u32);
        }
    }

    /// The place of the one that is `row` now; it is found once.
    fn take(&mut self, earlier: &Snapshot, row: &Row) -> Option<usize> {
        if row.cookie != 0 || !row.is_connection() {
            return None;
        }
        let ends = (row.local, row.peer);
        let place = *self.0.get(&ends)? as usize;
        let is_it = row.inode == 0 || earlier.rows.get(place)?.inode == 0;
        is_it.then(|| {
            self.0.remove(&ends);
            place
        })
    }
}

impl Snapshot {
    /// What changed since `earlier`, a snapshot of the same query: first what was closed, then what
    /// was opened or is in another state, in the kernel's order.
    ///
    /// Sockets are told apart by their cookies, which connections keep in TIME-WAIT; those read from
    /// `/proc`, which has none, by protocol, addresses and inode. What was opened and closed between
    /// the two is in neither: [`Endings`](super::Endings) tells of it. A socket that the kernel left out of
    /// this one is taken for closed, unless it was taken by
    /// [`snapshot_after`](super::SystemSockets::snapshot_after) `earlier`.
    pub fn changes_since<'a>(&'a self, earlier: &'a Self) -> Vec<Change<'a>> {
        let (then, now) = (Index::of(earlier), Index::of(self));
        let mut renamed = Renamed::default();
        let mut gone = Vec::new();
        for (place, row) in earlier.rows.iter().enumerate() {
            if then.is_at(row, place) && now.place(row).is_none() {
                renamed.note(row, place);
                gone.push(place);
            }
        }
        let mut later = Vec::new();
        let mut still_there = Vec::new();
        for (place, after) in self.iter().enumerate() {
            if !now.is_at(after.row, place) {
                continue;
            }
            let before = match then.place(after.row) {
                Some(place) => Some(place as usize),
                None => renamed.take(earlier, after.row).inspect(|place| still_there.push(*place)),
            };
            match before.and_then(|place| earlier.row(place)) {
                None => later.push(Change::Opened(after)),
                Some(before) if before.state() != after.state() => {
                    later.push(Change::StateChanged { before, after });
                }
                Some(_) => {}
            }
        }
        still_there.sort_unstable();
        gone.retain(|place| still_there.binary_search(place).is_err());
        let closed = gone.into_iter().filter_map(|place| earlier.row(place)).map(Change::Closed);
        closed.chain(later).collect()
    }
}

#[cfg(test)]
mod tests;
