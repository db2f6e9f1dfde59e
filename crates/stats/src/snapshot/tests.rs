//! Sums and differences of snapshots.

use super::*;
use crate::{CloseReason, Ends, ErrorKind, SocketStats};

#[test]
fn a_delta_subtracts_counters_and_keeps_gauges() {
    let stats = SocketStats::builder().history(2).build();
    let mut old = stats.open(Transport::Tcp, Role::Server, Ends::default());
    old.received(100);
    stats.error(Transport::Tcp, Role::Server, ErrorKind::Accept);
    let earlier = stats.snapshot();

    old.received(11);
    let mut new = stats.open(Transport::Tcp, Role::Client, Ends::default());
    new.sent(7);
    new.connected_in(Duration::from_millis(1));
    new.close(CloseReason::Local);
    stats.error(Transport::Tcp, Role::Server, ErrorKind::Read);
    let later = stats.snapshot();

    let delta = later.delta(&earlier).unwrap();
    let server = delta.counters(Transport::Tcp, Role::Server);
    assert_eq!((server.active, server.opened, server.bytes_received), (1, 0, 11));
    assert_eq!(server.errors.iter().collect::<Vec<_>>(), [(ErrorKind::Read, 1)]);
    let client = delta.group(Transport::Tcp, Role::Client).unwrap();
    assert_eq!((client.counters.opened, client.counters.bytes_sent), (1, 7));
    assert_eq!((client.connect_time.count(), client.duration.count()), (1, 1));
    assert_eq!(delta.history_overwritten, 1);
    assert_eq!(earlier.elapsed + delta.elapsed, later.elapsed);
    assert_eq!(delta.taken, later.taken);
}

#[test]
fn a_delta_of_the_wrong_order_is_an_error_and_not_a_zero() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, Ends::default());
    socket.received(10);
    let earlier = stats.snapshot();
    socket.received(5);
    let later = stats.snapshot();
    assert_eq!(
        earlier.delta(&later).unwrap_err().to_string(),
        "tcp server: bytes_received went from 15 to 10; \
         are the snapshots in order, and of the same statistics?"
    );
    let other = SocketStats::new().snapshot();
    assert!(matches!(
        other.delta(&later),
        Err(DeltaError::Counter { role: Role::Server, counter: "groups", .. })
    ));
}

#[test]
fn sums_go_by_transport_and_over_all() {
    let stats = SocketStats::new();
    let sockets: Vec<_> = [
        (Transport::Tcp, Role::Server),
        (Transport::Tcp, Role::Client),
        (Transport::Udp, Role::Peer),
    ]
    .into_iter()
    .zip([1, 10, 100])
    .map(|((transport, role), bytes)| {
        let mut socket = stats.open(transport, role, Ends::default());
        socket.sent(bytes);
        socket
    })
    .collect();
    let snapshot = stats.snapshot();
    assert_eq!(snapshot.groups.len(), sockets.len());
    assert_eq!(snapshot.counters(Transport::Tcp, Role::Client).bytes_sent, 10);
    assert_eq!(snapshot.transport(Transport::Tcp).bytes_sent, 11);
    assert_eq!(snapshot.transport(Transport::Sctp), Counters::default());
    assert_eq!((snapshot.totals().bytes_sent, snapshot.totals().active), (111, 3));
}

#[test]
fn json_and_back() {
    let stats = SocketStats::new();
    let socket = stats.open(Transport::Tcp, Role::Client, Ends::default());
    socket.connected_in(Duration::from_micros(85));
    socket.error(ErrorKind::Timeout);
    socket.close(CloseReason::Timeout);
    let snapshot = stats.snapshot();
    let json = serde_json::to_value(&snapshot).unwrap();
    let counters = &json["groups"][0]["counters"];
    assert_eq!((&counters["opened"], &counters["errors"]["timeout"]), (&1.into(), &1.into()));
    assert_eq!(serde_json::from_value::<Snapshot>(json).unwrap(), snapshot);
}

#[test]
fn counters_stay_at_the_highest_number() {
    let stats = SocketStats::new();
    for _ in 0..2 {
        let mut recorder = stats.open(Transport::Tcp, Role::Server, Ends::default());
        for _ in 0..2 {
            recorder.dropped(u64::MAX, u64::MAX);
            recorder.received(usize::MAX);
        }
        assert_eq!(recorder.bytes(), (u64::MAX, 0));
        stats.dropped(Transport::Tcp, Role::Server, u64::MAX, 1);
    }
    let mut snapshot = stats.snapshot();
    // Of two roles; and as one that was written by somebody else may be.
    let mut other = snapshot.groups[0].clone();
    other.role = Role::Client;
    for kind in [ErrorKind::Read, ErrorKind::Write] {
        *other.counters.errors.count_mut(kind) = u64::MAX;
    }
    other.duration.within = vec![u64::MAX; 3];
    snapshot.groups.push(other);
    let totals = snapshot.totals();
    assert_eq!((totals.dropped_messages, totals.dropped_bytes), (u64::MAX, u64::MAX));
    assert_eq!((totals.bytes_received, totals.errors.total()), (u64::MAX, u64::MAX));
    assert_eq!((totals.opened, totals.messages_received), (4, 8));
    assert!(snapshot.to_string().contains("Bytes Received: 17179869183.99 GB"));
    assert!(crate::prometheus_text(&snapshot).contains("18446744073709551615"));
}
