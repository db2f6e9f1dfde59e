//! What may not allocate does not.

use std::net::SocketAddr;
use std::time::SystemTime;

use allocation_counter::measure;
use ports_core::{FiveTuple, Transport};
use stats::{Action, Ends, Entry, ErrorKind, History, Role, SocketStats};

fn ends() -> Ends {
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    let peer = SocketAddr::from(([127, 0, 0, 1], 50000));
    FiveTuple::new(Transport::Tcp, local, peer).into()
}

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(7_u64)))).count_total, 1);
}

#[test]
fn recording_a_transfer_allocates_nothing() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, ends());
    let counted = measure(|| {
        for _ in 0..1000 {
            socket.received(64);
            socket.sent(64);
            socket.dropped(1, 64);
            socket.error(ErrorKind::Write);
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(stats.snapshot().totals().bytes_sent, 64_000);
}

#[test]
fn the_first_split_and_its_halves_allocate_nothing() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, ends());
    let counted = measure(|| {
        let (mut inbound, mut outbound) = socket.split();
        for _ in 0..1000 {
            inbound.received(64);
            outbound.sent(64);
            outbound.dropped(1, 64);
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(stats.snapshot().totals().bytes_received, 64_000);
}

#[test]
fn a_history_push_allocates_nothing_before_or_after_it_wraps() {
    let history = History::new(100);
    let entry = Entry {
        time: SystemTime::now(),
        transport: Transport::Tcp,
        role: Role::Server,
        ends: ends(),
        action: Action::Connect,
    };
    let counted = measure(|| (0..1000).for_each(|_| history.push(entry)));
    assert_eq!(counted.count_total, 0);
    assert_eq!(history.overwritten(), 900);
}
