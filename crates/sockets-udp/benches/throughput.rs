//! Batched UDP against the plain loop of `send_to` and `recv_from`, on loopback.
//!
//! - `turns`: one thread sends a burst that the receive buffer holds, then receives it; what is
//!   measured is the work for a byte, and nothing is dropped.
//! - `stream`: one thread sends as fast as it can, another receives as fast as it can; what is
//!   measured is the bytes received, and what the kernel dropped is shown.
//! - `fan-out`: one payload to 100 peers; only the sending is measured.
//! - `echo`: a burst of questions that waits, answered one by one and by `serve`, of which only the
//!   answering is measured.
//!
//! Each way is run in turn with the plain one, many times, so that whatever else the machine does
//! falls on both. A line shows the medians, and the median of the pairs' ratios (above 1: faster
//! than plain).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops where it fails")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sockets_udp::{Datagram, RecvBatch, UdpSocket};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

type Plain = std::net::UdpSocket;

const PAYLOAD: usize = 1200;
/// What the kernel takes as one message of this payload.
const BURST: usize = 54;
const PEERS: usize = 100;
/// How many pairs of runs a ratio is the median of, and how long one run takes, about. Runs of one
/// thread are so short that most pass between two turns of whatever else the machine does.
const SHORT: Runs = Runs { pairs: 401, length: Duration::from_millis(3) };
/// Of two threads, which have to get going.
const LONG: Runs = Runs { pairs: 31, length: Duration::from_millis(60) };

#[derive(Clone, Copy)]
struct Runs {
    pairs: usize,
    length: Duration,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap()
}

fn plain() -> Plain {
    Plain::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn open(gro: bool) -> UdpSocket {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    UdpSocket::builder().bind(address).gro(gro).receive_buffer(4 << 20).open().unwrap()
}

/// Repeats `work`, which says how much it did, for a run; how much a second.
fn rate(runs: Runs, mut work: impl FnMut() -> u64) -> f64 {
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < runs.length {
        done += work();
    }
    done as f64 / started.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs both in turn and prints the ratio, unless the arguments name other comparisons.
fn compare(
    runs: Runs,
    name: &str,
    unit: &str,
    mut plain: impl FnMut() -> f64,
    mut other: impl FnMut() -> f64,
) {
    let wanted: Vec<_> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part)) {
        return;
    }
    let pairs: Vec<_> = (0..runs.pairs)
        .map(|pair| {
            // Who is first changes, so that neither always finds what the other left.
            if pair % 2 == 0 {
                let plain = plain();
                (plain, other())
            } else {
                let other = other();
                (plain(), other)
            }
        })
        .collect();
    let ratio = median(pairs.iter().map(|(plain, other)| other / plain).collect());
    let of = |index: fn(&(f64, f64)) -> f64| median(pairs.iter().map(index).collect());
    let (plain, other) = (of(|pair| pair.0), of(|pair| pair.1));
    println!("{name:<44} plain {plain:>9.1} {unit}  this {other:>9.1} {unit}  ratio {ratio:.2}");
}

const MEBI: f64 = (1 << 20) as f64;

/// `send_to` and `recv_from` of the standard library, a burst each.
fn plain_turns() -> impl FnMut() -> f64 {
    let (here, there) = (plain(), plain());
    let target = there.local_addr().unwrap();
    let (payload, mut buffer) = ([7; PAYLOAD], [0; 2048]);
    move || {
        let bytes = rate(SHORT, || {
            for _ in 0..BURST {
                here.send_to(&payload, target).unwrap();
            }
            (0..BURST).map(|_| there.recv_from(&mut buffer).unwrap().0 as u64).sum()
        });
        bytes / MEBI
    }
}

#[derive(Clone, Copy)]
enum Way {
    /// `send_to` and `recv`, one by one.
    Single,
    /// `send_to_each` and `recv_many`: `sendmmsg` and `recvmmsg`.
    Batched,
    /// `send_bulk` and `recv_many`, cut by the kernel.
    Segmented,
    /// The same, joined by the kernel, too.
    SegmentedAndJoined,
}

async fn send_burst(way: Way, here: &UdpSocket, target: SocketAddr, data: &[u8]) {
    match way {
        Way::Single => {
            for payload in data.chunks(PAYLOAD) {
                here.send_to(payload, target).await.unwrap();
            }
        }
        Way::Batched => {
            assert!(here.send_to_each(&[target; BURST], &data[..PAYLOAD]).await.is_complete());
        }
        Way::Segmented | Way::SegmentedAndJoined => {
            let report = here.send_bulk(target, data, PAYLOAD).await;
            assert_eq!(report.segmented, BURST);
        }
    }
}

fn turns(way: Way) -> impl FnMut() -> f64 {
    let runtime = runtime();
    let context = runtime.enter();
    let (here, there) = (open(false), open(matches!(way, Way::SegmentedAndJoined)));
    drop(context);
    let data = vec![7; BURST * PAYLOAD];
    let mut batch = RecvBatch::new(64, buffer_size(way));
    move || {
        let bytes = rate(SHORT, || {
            runtime.block_on(async {
                send_burst(way, &here, there.local_addr(), &data).await;
                let (mut received, mut bytes) = (0, 0);
                while received < BURST {
                    if matches!(way, Way::Single) {
                        bytes += there.recv().await.unwrap().data.len() as u64;
                        received += 1;
                    } else {
                        received += there.recv_many(&mut batch).await.unwrap();
                        bytes +=
                            batch.iter().map(|datagram| datagram.data.len() as u64).sum::<u64>();
                    }
                }
                bytes
            })
        });
        bytes / MEBI
    }
}

const fn buffer_size(way: Way) -> usize {
    if matches!(way, Way::SegmentedAndJoined) { RecvBatch::WHOLE } else { 2048 }
}

/// Both loops on threads of their own; the receiver is told the end by the clock.
fn plain_stream() -> impl FnMut() -> f64 {
    let (here, there) = (plain(), plain());
    let target = there.local_addr().unwrap();
    socket2::SockRef::from(&there).set_recv_buffer_size(4 << 20).unwrap();
    there.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    move || {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    here.send_to(&[7; PAYLOAD], target).unwrap();
                }
            });
            let mut buffer = [0; 2048];
            let bytes =
                rate(LONG, || there.recv_from(&mut buffer).map_or(0, |(bytes, _)| bytes as u64));
            stop.store(true, Ordering::Relaxed);
            bytes / MEBI
        })
    }
}

fn stream(way: Way) -> impl FnMut() -> f64 {
    let (sending, receiving) = (runtime(), runtime());
    let here = sending.block_on(async { open(false) });
    let there = receiving.block_on(async { open(matches!(way, Way::SegmentedAndJoined)) });
    let target = there.local_addr();
    let data = vec![7; BURST * PAYLOAD];
    let mut batch = RecvBatch::new(64, buffer_size(way));
    move || {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sending.block_on(async {
                    while !stop.load(Ordering::Relaxed) {
                        send_burst(way, &here, target, &data).await;
                    }
                });
            });
            let bytes = rate(LONG, || {
                receiving.block_on(async {
                    there.recv_many(&mut batch).await.unwrap();
                    batch.iter().map(|datagram| datagram.data.len() as u64).sum()
                })
            });
            stop.store(true, Ordering::Relaxed);
            bytes / MEBI
        })
    }
}

/// Only the time in `send` counts; the peers are emptied between.
fn fan_out(peers: &[Plain], mut send: impl FnMut()) -> f64 {
    let mut buffer = [0; 2048];
    let (started, mut spent, mut sent) = (Instant::now(), Duration::ZERO, 0);
    while started.elapsed() < SHORT.length {
        let begin = Instant::now();
        send();
        spent += begin.elapsed();
        sent += peers.len();
        for peer in peers {
            peer.recv_from(&mut buffer).unwrap();
        }
    }
    sent as f64 / spent.as_secs_f64() / 1e3
}

/// Only answering counts. The task that serves says when a round is answered, and goes on until it has
/// to wait.
fn echo<F: Future<Output = ()> + Send + 'static>(
    questions: usize,
    serve: impl FnOnce(UdpSocket, Arc<Notify>, usize) -> F,
) -> f64 {
    let runtime = runtime();
    let server = runtime.block_on(async { open(false) });
    let client = plain();
    client.connect(server.local_addr()).unwrap();
    let answered_all = Arc::new(Notify::new());
    runtime.spawn(serve(server, Arc::clone(&answered_all), questions));
    let (started, mut spent, mut answered) = (Instant::now(), Duration::ZERO, 0);
    while started.elapsed() < LONG.length {
        for _ in 0..questions {
            client.send(&[7; 100]).unwrap();
        }
        let begin = Instant::now();
        runtime.block_on(answered_all.notified());
        spent += begin.elapsed();
        (0..questions).for_each(|_| assert_eq!(client.recv(&mut [0; 200]).unwrap(), 100));
        answered += questions;
    }
    answered as f64 / spent.as_secs_f64() / 1e3
}

async fn answer_each(socket: UdpSocket, answered_all: Arc<Notify>, questions: usize) {
    for number in 1.. {
        let question = socket.recv().await.unwrap();
        (number % questions == 0).then(|| answered_all.notify_one());
        socket.send_back(&question.data, &question.return_path()).await.unwrap();
    }
}

async fn serve(socket: UdpSocket, answered_all: Arc<Notify>, questions: usize) {
    let mut number = 0;
    let answer = |question: Datagram| {
        number += 1;
        (number % questions == 0).then(|| answered_all.notify_one());
        Some(question.data)
    };
    socket.serve(answer).await.unwrap();
}

fn main() {
    // `cargo test --benches` asks for nothing to be measured.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("1,200 B datagrams on loopback");
    for (name, way) in [
        ("turns: send_to, recv", Way::Single),
        ("turns: send_to_each, recv_many", Way::Batched),
        ("turns: send_bulk, recv_many", Way::Segmented),
        ("turns: send_bulk, recv_many with gro", Way::SegmentedAndJoined),
    ] {
        compare(SHORT, name, "MiB/s", plain_turns(), turns(way));
    }
    for (name, way) in [
        ("stream: send_to_each, recv_many", Way::Batched),
        ("stream: send_bulk, recv_many", Way::Segmented),
        ("stream: send_bulk, recv_many with gro", Way::SegmentedAndJoined),
    ] {
        compare(LONG, name, "MiB/s", plain_stream(), stream(way));
    }

    for (name, questions) in [("echo: 1", 1), ("echo: 4", 4), ("echo: 64", 64)] {
        compare(LONG, name, "k/s  ", || echo(questions, answer_each), || echo(questions, serve));
    }

    let peers: Vec<_> = (0..PEERS).map(|_| plain()).collect();
    let targets: Vec<_> = peers.iter().map(|peer| peer.local_addr().unwrap()).collect();
    let payload = [7; PAYLOAD];
    let runtime = runtime();
    let (std_socket, socket) = (plain(), runtime.block_on(async { open(false) }));
    let looped = || {
        fan_out(&peers, || {
            for target in &targets {
                std_socket.send_to(&payload, target).unwrap();
            }
        })
    };
    let single = || {
        fan_out(&peers, || {
            runtime.block_on(async {
                for target in &targets {
                    socket.send_to(&payload, *target).await.unwrap();
                }
            });
        })
    };
    let each = || {
        fan_out(&peers, || {
            let report = runtime.block_on(socket.send_to_each(&targets, &payload));
            assert_eq!(report.sent, PEERS);
        })
    };
    compare(SHORT, "fan-out: send_to_each, to std's send_to", "k/s  ", looped, each);
    compare(SHORT, "fan-out: send_to_each, to our send_to", "k/s  ", single, each);
}
