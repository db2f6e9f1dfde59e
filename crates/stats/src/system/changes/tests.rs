//! Snapshots made up, and what is different between them.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::system::row::Row;
use crate::system::{Protocol, State};

fn snapshot(sockets: &[(u64, u8)]) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for (cookie, state) in sockets {
        let end = |port: u64| SocketAddr::from(([127, 0, 0, 1], port as u16));
        let ends = (end(1000 + cookie), end(80));
        let mut row = Row::new(Protocol::Tcp, State::from_kernel(*state).unwrap(), ends);
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
fn each_socket_is_beside_what_it_was() {
    let before = snapshot(&[(1, 1), (2, 1), (3, 10)]);
    let after = snapshot(&[(3, 10), (4, 1), (2, 6), (2, 11)]);
    let beside = after.beside(&before).map(|(after, before)| {
        (after.cookie(), after.state(), before.map(|before| (before.cookie(), before.state())))
    });
    let listen = (Some(3), State::Listen);
    assert_eq!(
        beside.collect::<Vec<_>>(),
        [
            (listen.0, listen.1, Some(listen)),
            (Some(4), State::Established, None),
            (Some(2), State::Closing, Some((Some(2), State::Established))),
        ],
        "of a socket that is told twice, the later row stands for it"
    );
}

#[test]
fn without_cookies_the_addresses_tell() {
    let before = snapshot(&[(0, 1)]);
    let mut after = snapshot(&[(0, 8)]);
    assert_eq!(described(&after.changes_since(&before)), ["0 ESTAB>CLOSE-WAIT"]);
    after.rows[0].inode = 7;
    // Accepted meanwhile.
    assert_eq!(described(&after.changes_since(&before)), ["0 ESTAB>CLOSE-WAIT"]);
    let mut before = before;
    before.rows[0].inode = 6;
    assert_eq!(described(&after.changes_since(&before)), ["-0 ESTAB", "+0 CLOSE-WAIT"]);
}

#[test]
fn without_cookies_one_that_took_over_the_ends_of_another_is_another() {
    let waits = snapshot(&[(0, 6)]);
    let mut next = snapshot(&[(0, 1)]);
    next.rows[0].inode = 7;
    assert_eq!(described(&next.changes_since(&waits)), ["-0 TIME-WAIT", "+0 ESTAB"]);
    assert_eq!(described(&waits.changes_since(&next)), ["0 ESTAB>TIME-WAIT"]);
}

proptest! {
    /// Most sockets keep their place, some come, go and move, and some have no cookie.
    #[test]
    fn side_by_side_is_the_same_as_looked_up(
        sockets in prop::collection::vec((0_u64..200, 1_u8..12), 0..150),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        new in prop::collection::vec((any::<prop::sample::Index>(), 150_u64..300, 1_u8..12), 0..60),
        moved in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
    ) {
        let each_once = |sockets: &[(u64, u8)]| {
            let mut seen = HashSet::new();
            let is_first = |(cookie, _): &&(u64, u8)| *cookie == 0 || seen.insert(*cookie);
            sockets.iter().filter(is_first).copied().collect::<Vec<_>>()
        };
        let before = each_once(&sockets);
        let mut after = before.clone();
        for place in gone.iter().filter(|_| !before.is_empty()) {
            if !after.is_empty() {
                after.remove(place.index(after.len()));
            }
        }
        for (place, cookie, state) in new {
            after.insert(place.index(after.len() + 1), (cookie, state));
        }
        for (from, to) in moved {
            if !after.is_empty() {
                let socket = after.remove(from.index(after.len()));
                after.insert(to.index(after.len() + 1), socket);
            }
        }
        let (mut then, mut now) = (snapshot(&before), snapshot(&each_once(&after)));
        let looked_up = described(&now.changes_since(&then));
        then.has_each_once = true;
        now.has_each_once = true;
        prop_assert_eq!(described(&now.changes_since(&then)), looked_up);
    }

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
