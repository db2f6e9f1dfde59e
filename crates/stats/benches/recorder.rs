//! What recording costs: a transfer, a history entry, a life, a snapshot of many sockets.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, criterion_group, criterion_main};
use ports_core::{FiveTuple, Transport};
use stats::{Action, CloseReason, Ends, Entry, History, Role, SocketStats, prometheus_text};

fn ends() -> Ends {
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    let peer = SocketAddr::from(([127, 0, 0, 1], 50000));
    FiveTuple::new(Transport::Tcp, local, peer).into()
}

fn recording(c: &mut Criterion) {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Server, ends());
    c.bench_function("recorder/received", |b| b.iter(|| socket.received(black_box(64))));
    c.bench_function("recorder/received_and_sent", |b| {
        b.iter(|| {
            socket.received(black_box(64));
            socket.sent(black_box(64));
        });
    });
    let (mut inbound, mut outbound) = socket.split();
    c.bench_function("inbound/received", |b| b.iter(|| inbound.received(black_box(64))));
    c.bench_function("outbound/sent", |b| b.iter(|| outbound.sent(black_box(64))));
    c.bench_function("recorder/open_and_close", |b| {
        b.iter(|| stats.open(Transport::Tcp, Role::Server, ends()).close(CloseReason::Local));
    });
}

fn history(c: &mut Criterion) {
    let history = History::new(1024);
    let entry = Entry {
        time: SystemTime::now(),
        transport: Transport::Tcp,
        role: Role::Server,
        ends: ends(),
        action: Action::Disconnect {
            reason: CloseReason::Local,
            duration: Duration::from_millis(532),
            bytes_received: 18,
            bytes_sent: 24,
        },
    };
    c.bench_function("history/push", |b| b.iter(|| history.push(black_box(entry))));
}

fn snapshot(c: &mut Criterion) {
    for live in [0, 1_000, 10_000] {
        let stats = SocketStats::new();
        let mut sockets: Vec<_> =
            (0..live).map(|_| stats.open(Transport::Tcp, Role::Server, ends())).collect();
        for socket in &mut sockets {
            socket.received(64);
        }
        c.bench_function(&format!("snapshot/{live}_live"), |b| b.iter(|| stats.snapshot()));
    }
    let stats = SocketStats::new();
    drop(stats.open(Transport::Tcp, Role::Server, ends()));
    let snapshot = stats.snapshot();
    c.bench_function("prometheus_text", |b| b.iter(|| prometheus_text(black_box(&snapshot))));
}

criterion_group!(benches, recording, history, snapshot);
criterion_main!(benches);
