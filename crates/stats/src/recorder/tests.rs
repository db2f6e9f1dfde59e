//! Recorders: counted once, kept apart, nothing lost.

use std::net::SocketAddr;

use ports_core::FiveTuple;

use super::*;
use crate::SocketStats;

fn tuple() -> FiveTuple {
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    FiveTuple::new(Transport::Tcp, local, SocketAddr::from(([127, 0, 0, 1], 50000)))
}

fn server(stats: &SocketStats) -> Counters {
    stats.snapshot().counters(Transport::Tcp, Role::Server)
}

#[test]
fn defect_4_bytes_are_what_went_over() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, tuple());
    let message = "Grüße an alle!\n";
    let reply = format!("Echo: {message}");
    socket.received(message.len());
    socket.sent(reply.len());
    socket.sent(0);
    assert_eq!(socket.bytes(), (17, 23));
    let counters = server(&stats);
    assert_eq!((counters.bytes_received, counters.bytes_sent), (17, 23));
    assert_eq!((counters.messages_received, counters.messages_sent), (1, 2));
}

#[test]
fn defect_12_both_ends_are_two_sockets_and_each_is_removed_at_its_end() {
    let stats = SocketStats::new();
    let server_end = stats.open(Transport::Tcp, Role::Server, tuple());
    let client_end = stats.open(Transport::Tcp, Role::Client, tuple().reversed());
    let active = || {
        let snapshot = stats.snapshot();
        [Role::Server, Role::Client].map(|role| snapshot.counters(Transport::Tcp, role).active)
    };
    assert_eq!(active(), [1, 1]);
    client_end.close(CloseReason::Local);
    assert_eq!(active(), [1, 0]);
    server_end.close(CloseReason::PeerClosed);
    assert_eq!(active(), [0, 0]);
    let roles: Vec<_> = stats.history().last(9).iter().map(|entry| entry.role).collect();
    assert_eq!(roles, [Role::Server, Role::Client, Role::Client, Role::Server]);
}

#[test]
fn defect_12_errors_are_recorded_with_and_without_a_socket() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, tuple());
    socket.error(ErrorKind::Read);
    let (inbound, outbound) = socket.split();
    inbound.error(ErrorKind::Read);
    outbound.error(ErrorKind::Write);
    stats.error(Transport::Tcp, Role::Server, ErrorKind::Accept);
    stats.error(Transport::Tcp, Role::Client, ErrorKind::Connect);
    let snapshot = stats.snapshot();
    let errors: Vec<_> = snapshot.counters(Transport::Tcp, Role::Server).errors.iter().collect();
    assert_eq!(errors, [(ErrorKind::Accept, 1), (ErrorKind::Read, 2), (ErrorKind::Write, 1)]);
    assert_eq!(snapshot.counters(Transport::Tcp, Role::Client).errors.total(), 1);
    assert_eq!(snapshot.totals().errors.total(), 5);
}

#[test]
fn defect_12_udp_closes_are_recorded() {
    let stats = SocketStats::new();
    let local = SocketAddr::from(([127, 0, 0, 1], 5353));
    let mut socket = stats.open(Transport::Udp, Role::Peer, local);
    socket.received(5);
    assert_eq!(stats.snapshot().transport(Transport::Udp).active, 1);
    socket.close(CloseReason::Local);
    let counters = stats.snapshot().transport(Transport::Udp);
    assert_eq!((counters.active, counters.opened, counters.closed), (0, 1, 1));
    let entry = stats.history().last(1)[0];
    assert_eq!((entry.transport, entry.ends), (Transport::Udp, Ends::from(local)));
    assert!(matches!(
        entry.action,
        Action::Disconnect { reason: CloseReason::Local, bytes_received: 5, bytes_sent: 0, .. }
    ));
}

#[test]
fn a_drop_is_a_close_without_a_reason() {
    let stats = SocketStats::new();
    drop(stats.open(Transport::Tcp, Role::Server, None::<FiveTuple>));
    stats.open(Transport::Tcp, Role::Server, tuple()).close(CloseReason::SlowPeer);
    let counters = server(&stats);
    assert_eq!((counters.active, counters.opened, counters.closed), (0, 2, 2));
    let reasons: Vec<_> = stats
        .history()
        .last(9)
        .iter()
        .filter_map(|entry| match entry.action {
            Action::Disconnect { reason, .. } => Some(reason),
            Action::Connect => None,
        })
        .collect();
    assert_eq!(reasons, [CloseReason::Dropped, CloseReason::SlowPeer]);
}

#[test]
fn halves_count_after_the_close_and_the_history_does_not_change() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, tuple());
    let (mut inbound, mut outbound) = socket.split();
    inbound.received(10);
    socket.close(CloseReason::Shutdown);
    inbound.received(1);
    outbound.sent(2);
    outbound.dropped(3, 300);
    inbound.dropped(2);
    inbound.discarded(9);
    for _ in 0..2 {
        let counters = server(&stats);
        assert_eq!((counters.active, counters.bytes_received, counters.bytes_sent), (0, 11, 2));
        assert_eq!((counters.dropped_messages, counters.dropped_bytes), (3, 300));
        assert_eq!((counters.dropped_received, counters.discarded_bytes), (2, 9));
    }
    drop(inbound);
    outbound.sent(4);
    drop(outbound);
    let counters = server(&stats);
    assert_eq!((counters.bytes_received, counters.bytes_sent, counters.closed), (11, 6, 1));
    let entry = stats.history().last(1)[0];
    assert!(matches!(entry.action, Action::Disconnect { bytes_received: 10, bytes_sent: 0, .. }));
}

#[test]
fn a_recorder_that_was_split_still_counts_and_splits_again() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, tuple());
    socket.received(1);
    let mut first = socket.split();
    socket.received(10);
    let mut second = socket.split();
    let mut third = socket.split();
    for (inbound, outbound) in [&mut first, &mut second, &mut third] {
        inbound.received(100);
        outbound.sent(1000);
    }
    socket.dropped(1, 7);
    assert_eq!(socket.bytes(), (311, 3000));
    let counters = server(&stats);
    assert_eq!((counters.opened, counters.active), (1, 1));
    assert_eq!((counters.bytes_received, counters.bytes_sent), (311, 3000));
    drop((first, second));
    assert_eq!(socket.bytes(), (311, 3000));
    drop(third);
    socket.close(CloseReason::Local);
    let counters = server(&stats);
    assert_eq!((counters.bytes_received, counters.messages_sent), (311, 3));
    assert_eq!(counters.dropped_bytes, 7);
}

#[test]
fn connect_times_and_durations_are_measured() {
    let stats = SocketStats::new();
    let socket = stats.open(Transport::Tcp, Role::Client, tuple());
    socket.connected_in(Duration::from_millis(3));
    let snapshot = stats.snapshot();
    let group = snapshot.group(Transport::Tcp, Role::Client).unwrap();
    assert_eq!((group.connect_time.count(), group.duration.count()), (1, 0));
    assert_eq!(group.connect_time.max(), Duration::from_millis(3));
    socket.close(CloseReason::Local);
    let snapshot = stats.snapshot();
    let group = snapshot.group(Transport::Tcp, Role::Client).unwrap();
    assert_eq!((group.connect_time.count(), group.duration.count()), (1, 1));
}
