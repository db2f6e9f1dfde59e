//! What is different between two snapshots.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::number_map::NumberMap;
use super::row::Row;
use super::{Protocol, Snapshot, SocketRow};

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

impl Snapshot {
    /// What changed since `earlier`, a snapshot of the same query: first what was closed, then what
    /// was opened or is in another state.
    ///
    /// Sockets are told apart by their cookies; those read from `/proc`, which has none, by protocol,
    /// addresses and inode. What was opened and closed between the two is in neither:
    /// [`Endings`](super::Endings) tells of it.
    pub fn changes_since<'a>(&'a self, earlier: &'a Self) -> Vec<Change<'a>> {
        let (then, now) = (Index::of(earlier), Index::of(self));
        let closed = earlier.iter().enumerate().filter(|(place, socket)| {
            then.is_at(socket.row, *place) && now.place(socket.row).is_none()
        });
        let mut changes: Vec<Change<'a>> =
            closed.map(|(_, socket)| Change::Closed(socket)).collect();
        for (place, after) in self.iter().enumerate() {
            if !now.is_at(after.row, place) {
                continue;
            }
            match then.place(after.row).and_then(|place| earlier.row(place as usize)) {
                None => changes.push(Change::Opened(after)),
                Some(before) if before.state() != after.state() => {
                    changes.push(Change::StateChanged { before, after });
                }
                Some(_) => {}
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::State;

    fn snapshot(sockets: &[(u64, u8)]) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for (cookie, state) in sockets {
            let end = SocketAddr::from(([127, 0, 0, 1], 80));
            let mut row = Row::new(Protocol::Tcp, State::from_kernel(*state).unwrap(), (end, end));
            row.cookie = *cookie;
            snapshot.rows.push(row);
        }
        snapshot
    }

    fn described(changes: &[Change<'_>]) -> Vec<String> {
        let describe = |change: &Change<'_>| match change {
            Change::Opened(row) => format!("+{} {}", row.row.cookie, row.state()),
            Change::Closed(row) => format!("-{} {}", row.row.cookie, row.state()),
            Change::StateChanged { before, after } => {
                format!("{} {}>{}", after.row.cookie, before.state(), after.state())
            }
        };
        changes.iter().map(describe).collect()
    }

    #[test]
    fn sockets_come_and_go_and_change() {
        let before = snapshot(&[(1, 1), (2, 1), (3, 10)]);
        let after = snapshot(&[(3, 10), (2, 6), (4, 2)]);
        assert_eq!(
            described(&after.changes_since(&before)),
            ["-1 ESTAB", "2 ESTAB>TIME-WAIT", "+4 SYN-SENT"]
        );
    }

    #[test]
    fn without_cookies_the_addresses_tell() {
        let before = snapshot(&[(0, 1)]);
        let mut after = snapshot(&[(0, 8)]);
        assert_eq!(described(&after.changes_since(&before)), ["0 ESTAB>CLOSE-WAIT"]);
        after.rows[0].inode = 7;
        assert_eq!(described(&after.changes_since(&before)), ["-0 ESTAB", "+0 CLOSE-WAIT"]);
    }

    #[test]
    fn a_socket_that_a_dump_told_twice_is_one() {
        let before = snapshot(&[(1, 1)]);
        let after = snapshot(&[(1, 1), (2, 1), (1, 8), (2, 1)]);
        assert_eq!(described(&after.changes_since(&before)), ["1 ESTAB>CLOSE-WAIT", "+2 ESTAB"]);
        assert_eq!(described(&before.changes_since(&after)), ["-2 ESTAB", "1 CLOSE-WAIT>ESTAB"]);
    }

    proptest! {
        /// Applied to the earlier one, the changes give the later one.
        #[test]
        fn changes_lead_from_one_to_the_other(
            before in prop::collection::hash_map(1_u64..20, 1_u8..12, 0..12),
            after in prop::collection::hash_map(1_u64..20, 1_u8..12, 0..12),
        ) {
            let list = |map: &HashMap<u64, u8>| map.iter().map(|(c, s)| (*c, *s)).collect::<Vec<_>>();
            let (then, now) = (snapshot(&list(&before)), snapshot(&list(&after)));
            let mut states: HashMap<u64, State> =
                then.iter().map(|row| (row.row.cookie, row.state())).collect();
            for change in now.changes_since(&then) {
                match change {
                    Change::Opened(row) => {
                        prop_assert!(states.insert(row.row.cookie, row.state()).is_none());
                    }
                    Change::Closed(row) => prop_assert!(states.remove(&row.row.cookie).is_some()),
                    Change::StateChanged { before, after } => {
                        let old = states.insert(after.row.cookie, after.state());
                        prop_assert_eq!(old, Some(before.state()));
                    }
                }
            }
            prop_assert_eq!(states, now.iter().map(|row| (row.row.cookie, row.state())).collect());
        }
    }
}
