//! The ring against a list, and the print.

use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;

fn entry(number: u64) -> Entry {
    Entry {
        time: UNIX_EPOCH + Duration::from_millis(1_769_860_800_000 + number),
        transport: Transport::Tcp,
        role: Role::Server,
        ends: Ends {
            local: Some(SocketAddr::from(([127, 0, 0, 1], 80))),
            peer: Some(SocketAddr::from(([127, 0, 0, 1], 50000))),
        },
        action: Action::Connect,
    }
}

proptest! {
    #[test]
    fn holds_the_last_ones(capacity in 0..20_usize, pushed in 0..70_u64, count in 0..30_usize) {
        let history = History::new(capacity);
        (0..pushed).for_each(|number| history.push(entry(number)));
        let all: Vec<_> = (0..pushed).map(entry).collect();
        let held = all.len().min(capacity);
        prop_assert_eq!(history.last(count), &all[all.len() - held.min(count)..]);
        prop_assert_eq!(history.last(usize::MAX).len(), held);
        prop_assert_eq!((history.len(), history.is_empty()), (held, held == 0));
        prop_assert_eq!(history.overwritten(), (all.len() - held) as u64);
    }
}

#[test]
fn defect_9_the_history_is_bounded_and_says_what_it_lost() {
    let history = History::new(3);
    (0..1_000_003).for_each(|number| history.push(entry(number)));
    assert_eq!((history.len(), history.capacity(), history.overwritten()), (3, 3, 1_000_000));
    let mut text = String::new();
    history.print(1, &mut text).unwrap();
    assert!(text.ends_with("\n(1000000 earlier entries overwritten)\n"), "{text}");
}

#[test]
fn prints_the_last_entries_oldest_first() {
    let history = History::new(4);
    history.push(entry(0));
    history.push(entry(1));
    history.push(Entry {
        action: Action::Disconnect {
            reason: CloseReason::PeerClosed,
            duration: Duration::from_micros(12_034_567),
            bytes_received: 18,
            bytes_sent: 24,
        },
        ..entry(1001)
    });
    let local = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 53));
    history.push(Entry {
        transport: Transport::Udp,
        role: Role::Peer,
        ends: Ends::from(local),
        ..entry(2000)
    });
    let mut text = String::new();
    history.print(3, &mut text).unwrap();
    let expected = "\
=== Connection History ===
[2026-01-31T12:00:00.001Z] TCP CONNECT server 127.0.0.1:80 <-> 127.0.0.1:50000
[2026-01-31T12:00:01.001Z] TCP DISCONNECT server 127.0.0.1:80 <-> 127.0.0.1:50000 \
        (peer-closed, 18 B in, 24 B out, 12.034 s)
[2026-01-31T12:00:02.000Z] UDP CONNECT peer [::1]:53
";
    assert_eq!(text, expected);
}

#[test]
fn entries_go_to_json_and_back() {
    let json = serde_json::to_string(&entry(7)).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry(7));
}
