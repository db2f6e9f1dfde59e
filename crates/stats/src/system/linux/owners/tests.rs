//! What is kept of processes, part by part; sockets of this process from snapshot to snapshot.

use super::*;

fn found(descriptors: &[u32]) -> Vec<Found> {
    descriptors.iter().map(|d| Found { descriptor: *d, inode: u64::from(*d) + 1000 }).collect()
}

fn part(from: u32, end: u32, descriptors: &[u32]) -> Part {
    let seen = Seen::Sockets { found: found(descriptors), holder: None };
    Part { pid: 7, from, end, seen }
}

fn kept(owners: &Owners) -> Vec<u32> {
    owners.entries[&7].sockets.iter().map(|found| found.descriptor).collect()
}

#[test]
fn parts_of_a_process_make_it_whole_in_any_order() {
    let mut owners = Owners::new(Duration::ZERO);
    let parts = vec![part(20, u32::MAX, &[25, 30]), part(0, 10, &[1, 9]), part(10, 20, &[15])];
    assert_eq!(owners.keep(parts), 1);
    assert_eq!(kept(&owners), [1, 9, 15, 25, 30]);
    // One of them again: what lies outside of it stays.
    owners.keep(vec![part(10, 20, &[11, 12])]);
    assert_eq!(kept(&owners), [1, 9, 11, 12, 25, 30]);
    owners.keep(vec![part(0, u32::MAX, &[3])]);
    assert_eq!(kept(&owners), [3]);
    owners.keep(vec![Part { pid: 7, from: 0, end: u32::MAX, seen: Seen::Gone }]);
    assert!(owners.entries.is_empty());
}

#[test]
fn what_is_held_by_nobody_is_not_looked_for_again() {
    let mut owners = Owners::new(Duration::from_hours(1));
    let wanted: Wanted = [(u64::MAX, 0)].into_iter().collect();
    assert!(owners.held(&wanted, &[]).unwrap().0 > 0);
    assert!(owners.unheld.contains(&u64::MAX));
    assert_eq!(owners.held(&wanted, &[]).unwrap().0, 0);
    // Another one is looked for, in all processes, once.
    let wanted: Wanted = [(u64::MAX, 0), (u64::MAX - 1, 1)].into_iter().collect();
    assert!(owners.held(&wanted, &[]).unwrap().0 > 0);
    assert_eq!(owners.held(&wanted, &[]).unwrap().0, 0);
    // Nothing is looked for where there is nothing.
    assert_eq!(owners.held(&Wanted::default(), &[]).unwrap().0, 0);
}
