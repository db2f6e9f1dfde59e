//! A naive model against the real thing, and threads against each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::counters::Counters;
use crate::recorder::{Inbound, Outbound};
use crate::{CloseReason, DeltaError};

const GROUPS: [(Transport, Role); 4] = [
    (Transport::Tcp, Role::Server),
    (Transport::Tcp, Role::Client),
    (Transport::Udp, Role::Peer),
    (Transport::Sctp, Role::Server),
];

#[derive(Clone, Debug)]
enum Step {
    Open(usize),
    Received(usize, usize),
    Sent(usize, usize),
    Dropped(usize, u32),
    Split(usize),
    HalfReceived(usize, usize),
    HalfSent(usize, usize),
    DropHalves(usize),
    Error(usize, usize),
    Close(usize),
    Delta,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let socket = 0..6_usize;
    let bytes = prop_oneof![Just(0), 1..2000_usize, Just(1 << 40)];
    let step = prop_oneof![
        2 => (0..GROUPS.len()).prop_map(Step::Open),
        4 => (socket.clone(), bytes.clone()).prop_map(|(s, n)| Step::Received(s, n)),
        4 => (socket.clone(), bytes.clone()).prop_map(|(s, n)| Step::Sent(s, n)),
        1 => (socket.clone(), any::<u32>()).prop_map(|(s, n)| Step::Dropped(s, n)),
        1 => socket.clone().prop_map(Step::Split),
        2 => (socket.clone(), bytes.clone()).prop_map(|(s, n)| Step::HalfReceived(s, n)),
        2 => (socket.clone(), bytes).prop_map(|(s, n)| Step::HalfSent(s, n)),
        1 => socket.clone().prop_map(Step::DropHalves),
        1 => (socket.clone(), 0..ErrorKind::ALL.len()).prop_map(|(s, k)| Step::Error(s, k)),
        1 => socket.prop_map(Step::Close),
        1 => Just(Step::Delta),
    ];
    prop::collection::vec(step, 0..80)
}

/// The model: four sums, and nothing else.
type Model = [Counters; GROUPS.len()];

fn assert_equal(stats: &SocketStats, model: &Model) -> Result<(), TestCaseError> {
    let snapshot = stats.snapshot();
    for ((transport, role), expected) in GROUPS.into_iter().zip(model) {
        prop_assert_eq!(&snapshot.counters(transport, role), expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn snapshots_are_the_sums_of_what_was_recorded(steps in steps()) {
        let stats = SocketStats::new();
        let mut model = Model::default();
        let mut sockets: Vec<(usize, Recorder)> = Vec::new();
        let mut halves: Vec<(usize, Inbound, Outbound)> = Vec::new();
        let mut last = (stats.snapshot(), model);
        for step in steps {
            match step {
                Step::Open(group) => {
                    let (transport, role) = GROUPS[group];
                    sockets.push((group, stats.open(transport, role, Ends::default())));
                    model[group].opened += 1;
                    model[group].active += 1;
                }
                Step::Received(index, bytes) => {
                    if let Some((group, socket)) = sockets.get_mut(index) {
                        socket.received(bytes);
                        model[*group].bytes_received += bytes as u64;
                        model[*group].messages_received += 1;
                    }
                }
                Step::Sent(index, bytes) => {
                    if let Some((group, socket)) = sockets.get_mut(index) {
                        socket.sent(bytes);
                        model[*group].bytes_sent += bytes as u64;
                        model[*group].messages_sent += 1;
                    }
                }
                Step::Dropped(index, bytes) => {
                    if let Some((group, socket)) = sockets.get_mut(index) {
                        socket.dropped(2, u64::from(bytes));
                        model[*group].dropped_messages += 2;
                        model[*group].dropped_bytes += u64::from(bytes);
                    }
                }
                Step::Split(index) => {
                    if let Some((group, socket)) = sockets.get_mut(index) {
                        let (inbound, outbound) = socket.split();
                        halves.push((*group, inbound, outbound));
                    }
                }
                Step::HalfReceived(index, bytes) => {
                    if let Some((group, inbound, _)) = halves.get_mut(index) {
                        inbound.received(bytes);
                        model[*group].bytes_received += bytes as u64;
                        model[*group].messages_received += 1;
                    }
                }
                Step::HalfSent(index, bytes) => {
                    if let Some((group, _, outbound)) = halves.get_mut(index) {
                        outbound.sent(bytes);
                        model[*group].bytes_sent += bytes as u64;
                        model[*group].messages_sent += 1;
                    }
                }
                Step::DropHalves(index) => {
                    if index < halves.len() {
                        halves.swap_remove(index);
                    }
                }
                Step::Error(index, kind) => {
                    if let Some((group, socket)) = sockets.get(index) {
                        socket.error(ErrorKind::ALL[kind]);
                        *model[*group].errors.count_mut(ErrorKind::ALL[kind]) += 1;
                    }
                }
                Step::Close(index) => {
                    if index < sockets.len() {
                        let (group, socket) = sockets.swap_remove(index);
                        socket.close(CloseReason::Local);
                        model[group].closed += 1;
                        model[group].active -= 1;
                    }
                }
                Step::Delta => {
                    let now = stats.snapshot();
                    let delta = now.delta(&last.0).unwrap();
                    for (index, (transport, role)) in GROUPS.into_iter().enumerate() {
                        let expected = model[index].since(&last.1[index]).unwrap();
                        prop_assert_eq!(delta.counters(transport, role), expected);
                    }
                    last = (now, model);
                }
            }
            assert_equal(&stats, &model)?;
        }
        for (group, socket) in sockets {
            drop(socket);
            model[group].closed += 1;
            model[group].active -= 1;
        }
        drop(halves);
        assert_equal(&stats, &model)?;
    }
}

#[test]
fn threads_lose_nothing_and_snapshots_never_go_back() {
    const THREADS: u64 = 4;
    const SOCKETS: u64 = 50;
    const MESSAGES: u64 = 200;
    let stats = SocketStats::builder().history(16).build();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Before the workers start, or the first deltas would leave out what they did meanwhile.
        let mut earlier = stats.snapshot();
        let (stats, done) = (&stats, &done);
        let watcher = scope.spawn(move || -> Result<u64, DeltaError> {
            let mut bytes = 0;
            while !done.load(Ordering::Acquire) {
                let later = stats.snapshot();
                bytes += later.delta(&earlier)?.totals().bytes_received;
                earlier = later;
            }
            let last = stats.snapshot();
            Ok(bytes + last.delta(&earlier)?.totals().bytes_received)
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(move || {
                    for _ in 0..SOCKETS {
                        let mut socket = stats.open(Transport::Tcp, Role::Server, Ends::default());
                        let (mut inbound, mut outbound) = socket.split();
                        thread::scope(|halves| {
                            halves.spawn(move || (0..MESSAGES).for_each(|_| inbound.received(3)));
                            halves.spawn(move || (0..MESSAGES).for_each(|_| outbound.sent(5)));
                            socket.error(ErrorKind::Read);
                            socket.close(CloseReason::Local);
                        });
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Release);
        assert_eq!(watcher.join().unwrap(), Ok(THREADS * SOCKETS * MESSAGES * 3));
    });
    let totals = stats.snapshot().totals();
    let sockets = THREADS * SOCKETS;
    assert_eq!((totals.active, totals.opened, totals.closed), (0, sockets, sockets));
    assert_eq!(totals.bytes_received, sockets * MESSAGES * 3);
    assert_eq!(totals.bytes_sent, sockets * MESSAGES * 5);
    assert_eq!(totals.messages_sent, sockets * MESSAGES);
    assert_eq!(totals.errors.count(ErrorKind::Read), sockets);
    assert_eq!(stats.history().overwritten(), sockets * 2 - 16);
}

#[test]
fn what_no_socket_had_counts_as_dropped() {
    let stats = SocketStats::new();
    let mut socket = stats.open(Transport::Tcp, Role::Client, Ends::default());
    socket.dropped(1, 10);
    stats.dropped(Transport::Tcp, Role::Client, 2, 5);
    socket.close(CloseReason::Local);
    let counters = stats.snapshot().counters(Transport::Tcp, Role::Client);
    assert_eq!((counters.dropped_messages, counters.dropped_bytes), (3, 15));
    assert_eq!((counters.opened, counters.active), (1, 0));
}

#[test]
fn clones_are_one_and_others_are_not() {
    let stats = SocketStats::new();
    let _socket = stats.clone().open(Transport::Tcp, Role::Client, Ends::default());
    assert_eq!(stats.snapshot().totals().active, 1);
    assert_eq!(SocketStats::default().snapshot().totals(), Counters::default());
}

#[test]
fn recorders_and_halves_move_to_other_threads() {
    fn assert_send<T: Send>() {}
    fn assert_shared<T: Send + Sync>() {}
    assert_send::<(Recorder, Inbound, Outbound)>();
    assert_shared::<SocketStats>();
}
