//! Which rows of two snapshots are of the same socket.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::system::number_map::NumberMap;
use crate::system::row::Row;
use crate::system::{Protocol, Snapshot, State};

/// Where the socket of a row was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// In the row at this place.
    At(usize),
    /// Nowhere.
    Nowhere,
    /// A later row of the same snapshot stands for it.
    Repeated,
}

/// Which rows of two snapshots are of the same socket.
#[derive(Debug)]
pub(in crate::system) struct Pairing {
    /// Of each row of the later one.
    pub(super) before: Vec<Before>,
    /// Places in the earlier one of sockets that are not in the later one.
    pub(super) gone: Vec<usize>,
}

impl Pairing {
    pub(in crate::system) fn of(earlier: &Snapshot, later: &Snapshot) -> Self {
        let mut before = vec![Before::Nowhere; later.len()];
        let (in_then, in_now) = if earlier.has_each_once && later.has_each_once {
            side_by_side(&earlier.rows, &later.rows, |then, now| before[now] = Before::At(then))
        } else {
            ((0..earlier.len()).collect(), (0..later.len()).collect())
        };
        let (then, now) = (Index::of(earlier, &in_then), Index::of(later, &in_now));
        let mut renamed = Renamed::default();
        let mut gone = Vec::new();
        for place in in_then {
            let row = &earlier.rows[place];
            if then.is_at(row, place) && now.place(row).is_none() {
                renamed.note(row, place);
                gone.push(place);
            }
        }
        let mut still_there = Vec::new();
        for place in in_now {
            let row = &later.rows[place];
            before[place] = if !now.is_at(row, place) {
                Before::Repeated
            } else if let Some(then) = then.place(row) {
                Before::At(then as usize)
            } else if let Some(then) = renamed.take(earlier, row) {
                still_there.push(then);
                Before::At(then)
            } else {
                Before::Nowhere
            };
        }
        still_there.sort_unstable();
        gone.retain(|place| still_there.binary_search(place).is_err());
        Self { before, gone }
    }
}

/// What tells sockets apart where the kernel gives them no cookie.
type Ends = (Protocol, SocketAddr, SocketAddr, u64);

/// How far the next row that both snapshots have is looked for: few sockets come or go at one place.
const AHEAD: usize = 32;

/// Goes through the rows of two snapshots side by side, none of which has a socket twice, and gives
/// `same` the places of those of one socket. Returns the places of the others, which may be of one
/// socket all the same.
///
/// A socket keeps its place in the kernel's table, and a dump tells of them in its order: so most need
/// not be looked up.
fn side_by_side(
    then: &[Row],
    now: &[Row],
    mut same: impl FnMut(usize, usize),
) -> (Vec<usize>, Vec<usize>) {
    let ahead = |rows: &[Row], row: &Row| {
        let is_it = |other: &Row| other.cookie == row.cookie;
        rows.iter().take(AHEAD).position(is_it).filter(|_| row.cookie != 0)
    };
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    let (mut at_then, mut at_now) = (0, 0);
    while let (Some(before), Some(after)) = (then.get(at_then), now.get(at_now)) {
        if let Some(further) = ahead(&then[at_then..], after) {
            gone.extend(at_then..at_then + further);
            at_then += further;
            same(at_then, at_now);
        } else if let Some(further) = ahead(&now[at_now..], before) {
            new.extend(at_now..at_now + further);
            at_now += further;
            same(at_then, at_now);
        } else {
            gone.push(at_then);
            new.push(at_now);
        }
        at_then += 1;
        at_now += 1;
    }
    gone.extend(at_then..then.len());
    new.extend(at_now..now.len());
    (gone, new)
}

/// Sockets of a snapshot by what they are known by; each entry is their place.
#[derive(Debug, Default)]
struct Index {
    cookies: NumberMap<u32>,
    ends: HashMap<Ends, u32>,
}

impl Index {
    fn of(snapshot: &Snapshot, places: &[usize]) -> Self {
        let mut index = Self::default();
        index.cookies.reserve(places.len());
        for (row, place) in places.iter().map(|place| (&snapshot.rows[*place], *place as u32)) {
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
