//! Tests of lock files: who has them, and what is said of that.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::protocols::Protocols;

const TCP_80: (Transport, Port) = (Transport::Tcp, Port::new(80));

fn locker(directory: &Path, name: &str) -> Locker {
    let name = name.to_owned();
    let terms = Terms { protocols: Protocols::Tcp, count: 1, pid: 7, since_ms: 1000, name };
    Locker::new(Some(directory), &terms).ok().unwrap()
}

fn lock(locker: &Locker, ports: &[(Transport, Port)]) -> Option<Locks> {
    match locker.lock(ports.iter().copied()) {
        Ok(locks) => Some(locks),
        Err(NotLocked::Held { .. }) => None,
        Err(NotLocked::Failed(error)) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

fn seen(directory: &Path) -> Seen {
    look(directory, TCP_80.0, TCP_80.1).unwrap()
}

fn held_by(name: &str) -> Seen {
    Seen::Held(FileLabel { pid: 7, since_ms: 1000, name: name.to_owned() })
}

#[test]
fn a_port_has_one_holder_until_it_is_let_go() {
    let place = tempfile::tempdir().unwrap();
    // It need not be there.
    let directory = place.path().join("of/user");
    assert_eq!(ports_of(&directory).unwrap(), []);
    let (web, other) = (locker(&directory, "web"), locker(&directory, "two words"));
    assert_eq!(seen(&directory), Seen::Free);
    let held = lock(&web, &[TCP_80]).unwrap();
    assert!(lock(&other, &[TCP_80]).is_none());
    assert_eq!(seen(&directory), held_by("web"));
    let udp = lock(&other, &[(Transport::Udp, TCP_80.1)]).unwrap();
    drop(held);
    assert_eq!(seen(&directory), Seen::Free);
    let held = lock(&other, &[TCP_80]).unwrap();
    assert_eq!(seen(&directory), held_by("two words"));
    let mut ports = ports_of(&directory).unwrap();
    ports.sort_unstable();
    assert_eq!(ports, [TCP_80, (Transport::Udp, TCP_80.1)]);
    drop((held, udp));
}

#[test]
fn a_run_is_locked_whole_or_not_at_all() {
    let place = tempfile::tempdir().unwrap();
    let locker = locker(place.path(), "run");
    let run = [80, 81, 82].map(|port| (Transport::Tcp, Port::new(port)));
    let last = lock(&locker, &run[2..]).unwrap();
    assert!(lock(&locker, &run).is_none());
    let first = lock(&locker, &run[..2]).unwrap();
    drop((first, last));
    assert_eq!(lock(&locker, &run).unwrap().len(), 3);
}

#[test]
fn what_a_killed_holder_left_is_not_the_label_of_the_next() {
    let place = tempfile::tempdir().unwrap();
    let locker = locker(place.path(), "web");
    // A label without anybody who stands for it, beside a lock.
    drop(lock(&locker, &[TCP_80]).unwrap());
    let next = locker.take(TCP_80.0, TCP_80.1, LOCK).ok().flatten().unwrap();
    assert_eq!(seen(place.path()), Seen::Unlabelled);
    drop(next);
    assert_eq!(seen(place.path()), Seen::Free);
}

#[test]
fn who_looks_is_not_in_the_way() {
    let place = tempfile::tempdir().unwrap();
    let locker = locker(place.path(), "web");
    drop(lock(&locker, &[TCP_80]).unwrap());
    let looked = AtomicUsize::new(0);
    let done = std::sync::atomic::AtomicBool::new(false);
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                seen(place.path());
                looked.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut rounds = 0;
        let mut refused = 0;
        while rounds < 1000 || looked.load(Ordering::Relaxed) < 1000 {
            let before = looked.load(Ordering::Relaxed);
            let is_refused = lock(&locker, &[TCP_80]).is_none();
            // One that is stopped while it looks is in the way, as is said at `TRIES`.
            let is_stopped = looked.load(Ordering::Relaxed) <= before + 1;
            refused += usize::from(is_refused && !is_stopped);
            rounds += 1;
        }
        done.store(true, Ordering::Relaxed);
        refused
    });
    assert_eq!(refused, 0);
}

#[test]
fn labels_are_read_when_they_are_whole() {
    let read = |text: &str| FileLabel::read(text.as_bytes());
    let label = |name: &str| Some(FileLabel { pid: 12, since_ms: 34, name: name.to_owned() });
    assert_eq!(read("12 34 web\n"), label("web"));
    assert_eq!(read("12 34 two words\n"), label("two words"));
    assert_eq!(read("12 34 \n"), label(""));
    // What is left of a longer one.
    assert_eq!(read("12 34 web\nords\n"), label("web"));
    for other in ["", "\n", "12 34 we", "12 34\n", "x 34 web\n", "12 -1 web\n"] {
        assert_eq!(read(other), None, "{other:?}");
    }
    assert_eq!(FileLabel::read(b"12 34 \xff\n"), None);
}

#[test]
fn names_of_lock_files() {
    assert_eq!(read_name("tcp-80.lock"), Some(TCP_80));
    for other in
        ["tcp-080.lock", "tcp-80.label", "tcp-80lock", "sctp-80.lock", "tcp-70000.lock", "x", ""]
    {
        assert_eq!(read_name(other), None, "{other}");
    }
}
