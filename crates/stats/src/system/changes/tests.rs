//! Snapshots made up, and what is different between them.

use proptest::prelude::*;

use super::*;
use crate::system::State;

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
