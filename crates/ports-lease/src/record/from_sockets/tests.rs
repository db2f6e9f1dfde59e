//! Tests of which label belongs to which lock.

use proptest::prelude::*;

use super::*;
use crate::protocols::Protocols;

fn lock(transport: Transport, port: u16, inode: u64, uid: u32) -> NamedSocket {
    let name = socket_name::lock(transport, port).into_bytes();
    NamedSocket { inode, name, uid: Some(uid) }
}

fn label(inode: u64, protocols: Protocols, count: u16, name: &str, uid: u32) -> NamedSocket {
    let terms = Terms { protocols, count, pid: 7, since_ms: 1000, name: name.to_owned() };
    let name = Label { inode, terms }.abstract_name().into_bytes();
    NamedSocket { inode: inode + 1_000_000, name, uid: Some(uid) }
}

/// Port and name of each lock.
fn named(sockets: Vec<NamedSocket>) -> Vec<(u16, Option<String>)> {
    let locks = locks(sockets);
    locks
        .into_iter()
        .map(|lock| (lock.port.number(), lock.label.map(|label| label.terms.name)))
        .collect()
}

#[test]
fn a_lock_has_the_label_of_its_inode() {
    let sockets = vec![
        lock(Transport::Tcp, 20000, 1, 0),
        lock(Transport::Tcp, 20001, 2, 0),
        label(2, Protocols::Tcp, 1, "web", 0),
    ];
    assert_eq!(named(sockets), [(20000, None), (20001, Some("web".to_owned()))]);
}

#[test]
fn a_long_name_is_put_together() {
    let name = "a long name that does not fit in one address ".repeat(4);
    let more = |inode: u64, uid| {
        let terms = Terms {
            protocols: Protocols::Tcp,
            count: 1,
            pid: 7,
            since_ms: 1000,
            name: name.clone(),
        };
        let names = Label { inode, terms }.more_names();
        names.into_iter().rev().map(move |name| NamedSocket {
            inode: inode + 2_000_000,
            name: name.into_bytes(),
            uid: Some(uid),
        })
    };
    let mut sockets: Vec<_> = more(1, 0).collect();
    assert_eq!(sockets.len(), 2);
    sockets.push(lock(Transport::Tcp, 20000, 1, 0));
    sockets.push(label(1, Protocols::Tcp, 1, &name, 0));
    // Of another user, they are no parts of it.
    sockets.extend(more(2, 1001));
    sockets.push(lock(Transport::Tcp, 20001, 2, 0));
    sockets.push(label(2, Protocols::Tcp, 1, &name, 0));
    let begin = name[..48].to_owned();
    assert_eq!(named(sockets), [(20000, Some(name)), (20001, Some(begin))]);
}

#[test]
fn a_run_has_the_label_of_its_first_lock() {
    let sockets = vec![
        label(1, Protocols::Both, 2, "run", 0),
        lock(Transport::Tcp, 20000, 1, 0),
        lock(Transport::Udp, 20000, 2, 0),
        lock(Transport::Tcp, 20001, 3, 0),
        lock(Transport::Udp, 20001, 4, 0),
        // Past its end.
        lock(Transport::Tcp, 20002, 5, 0),
    ];
    let run = Some("run".to_owned());
    let expected = [20000, 20000, 20001, 20001].map(|port| (port, run.clone()));
    assert_eq!(named(sockets), [&expected[..], &[(20002, None)]].concat());
}

#[test]
fn a_lease_within_the_run_of_another_keeps_its_own_label() {
    // The run is being taken and will fail at its second port.
    let sockets = vec![
        lock(Transport::Tcp, 20000, 1, 0),
        label(1, Protocols::Tcp, 3, "run", 0),
        lock(Transport::Tcp, 20001, 2, 0),
        label(2, Protocols::Tcp, 1, "web", 0),
    ];
    let names = named(sockets).into_iter().map(|(_, name)| name.unwrap()).collect::<Vec<_>>();
    assert_eq!(names, ["run", "web"]);
}

#[test]
fn another_users_label_is_none() {
    let sockets =
        vec![lock(Transport::Tcp, 20000, 1, 1000), label(1, Protocols::Tcp, 1, "mine", 1001)];
    assert_eq!(named(sockets), [(20000, None)]);
}

proptest! {
    #[test]
    fn any_sockets_have_as_many_records_as_locks(
        sockets in prop::collection::vec((0..4_u8, 1..40_u16, 0..20_u64, 1..5_u16), 0..40),
    ) {
        let sockets: Vec<_> = sockets.into_iter().map(|(kind, port, inode, count)| match kind {
            0 => lock(Transport::Tcp, port, inode, 0),
            1 => lock(Transport::Udp, port, inode, 0),
            2 => label(inode, Protocols::Tcp, count, "x", 0),
            _ => label(inode, Protocols::Both, count, "", 1),
        }).collect();
        let expected = sockets
            .iter()
            .filter(|socket| matches!(socket_name::read(&socket.name), Some(Meaning::Lock(..))))
            .count();
        prop_assert_eq!(locks(sockets).len(), expected);
    }
}

#[test]
fn what_a_list_caught_in_between_is_looked_at_again() {
    let listed = |sockets| locks(sockets);
    let stranger = lock(Transport::Tcp, 20003, 4, 0);
    let mut looks = vec![
        // The second label was gone by before it was made; the third lease is ending.
        listed(vec![
            lock(Transport::Tcp, 20000, 1, 0),
            label(1, Protocols::Tcp, 1, "first", 0),
            lock(Transport::Tcp, 20001, 2, 0),
            lock(Transport::Tcp, 20002, 3, 0),
            stranger.clone(),
        ]),
        // Another has the port of the third now, and is no part of the first look.
        listed(vec![
            label(2, Protocols::Tcp, 1, "second", 0),
            lock(Transport::Tcp, 20001, 2, 0),
            lock(Transport::Tcp, 20002, 5, 0),
            stranger.clone(),
        ]),
        listed(vec![stranger]),
    ]
    .into_iter();
    let found = confirmed(|| looks.next().ok_or(())).unwrap();
    let found: Vec<_> = found
        .into_iter()
        .map(|lock| (lock.port.number(), lock.label.map(|label| label.terms.name)))
        .collect();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(found, [(20000, named("first")), (20001, named("second")), (20003, None)]);
}
