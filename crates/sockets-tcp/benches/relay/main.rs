//! A relay to 100 clients, with one of them stalled and without: what the other 99 notice.
//!
//! One client speaks, a message of 1,000 bytes every 2 ms; each carries the time at which it was
//! sent, and each of the others notes how late it comes. The same with a client that connects and
//! never reads, under each policy that does not wait. Runs with and without are interleaved; the
//! ratio of the 99th percentiles is the result (below 1: sooner with the stall). All are in one
//! process, on a runtime of two threads.
//!
//! Then a script that needs to know nothing of the relay, played to this one and to `ncat --broker`:
//! how many of the others got everything, and how late.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops where it fails")]

mod broker;
mod script;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sockets_tcp::{Relay, SlowPolicy, TcpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

const LISTENERS: usize = 99;
const MESSAGE: usize = 1000;
const MESSAGES: u32 = 1500;
const PACE: Duration = Duration::from_millis(2);
/// The outbox of each client: the stalled one's is full well before the end.
const OUTBOX: usize = 100_000;
const PAIRS: usize = 5;
/// What is queued still after this long stays so.
const SETTLED: Duration = Duration::from_millis(100);
/// The bar.
const MOST: f64 = 2.0;

/// Connects, and never reads; its receive buffer is small.
async fn stalled(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

/// One run; the 99th percentile of the delays in microseconds, and how many messages the stalled
/// one was not sent.
async fn run(policy: SlowPolicy, with_stalled: bool) -> (f64, u64) {
    let builder = TcpServer::builder().bind("127.0.0.1:0".parse().unwrap()).handler(Relay::new());
    let server = builder.slow_policy(policy).queue_bytes(OUTBOX).start().await.unwrap();
    let address = server.local_addr();
    let begun = Instant::now();
    let mut listening = JoinSet::new();
    for _ in 0..LISTENERS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        listening.spawn(async move {
            let mut delays = Vec::new();
            let mut message = [0; MESSAGE];
            for number in 0..MESSAGES {
                stream.read_exact(&mut message).await.unwrap();
                let (stamp, rest) = message.split_first_chunk().unwrap();
                let sent = Duration::from_nanos(u64::from_le_bytes(*stamp));
                delays.push(begun.elapsed().saturating_sub(sent).as_nanos() as f64 / 1000.0);
                assert_eq!(rest[..4], number.to_le_bytes(), "all of them, in order");
            }
            delays
        });
    }
    let silent = if with_stalled { Some(stalled(address).await) } else { None };
    let mut speaker = TcpStream::connect(address).await.unwrap();
    speaker.set_nodelay(true).unwrap();
    while server.info().active < LISTENERS + 1 + usize::from(with_stalled) {
        tokio::task::yield_now().await;
    }
    if with_stalled {
        fill(&server).await;
    }
    let mut pace = tokio::time::interval(PACE);
    for number in 0..MESSAGES {
        pace.tick().await;
        let mut message = [0; MESSAGE];
        message[8..12].copy_from_slice(&number.to_le_bytes());
        message[..8].copy_from_slice(&(begun.elapsed().as_nanos() as u64).to_le_bytes());
        speaker.write_all(&message).await.unwrap();
    }
    let mut delays = listening.join_all().await.concat();
    delays.sort_by(f64::total_cmp);
    let dropped = server.stats().snapshot().totals().dropped_messages;
    drop(silent);
    server.shutdown(Duration::from_secs(1)).await;
    (delays[delays.len() * 99 / 100], dropped)
}

/// Fills the kernel's buffers of the one that never reads; its outbox comes next, in the run.
async fn fill(server: &TcpServer) {
    // The clients are in the order of their connecting.
    let stalled = || server.clients().swap_remove(LISTENERS);
    let mut before = 0;
    loop {
        let queued = stalled().queued_bytes;
        if queued == 0 {
            server.send(stalled().id, Bytes::from(vec![0; OUTBOX / 2])).await.unwrap();
        } else if queued == before {
            return;
        }
        before = queued;
        // The kernel's buffer grows with what is acknowledged.
        tokio::time::sleep(SETTLED).await;
    }
}

/// Plays the script to a relay, without a stalled listener and with one.
async fn play(name: &str, relay: SocketAddr) {
    for with_stalled in [false, true] {
        let noticed = script::play(relay, with_stalled).await;
        let delay =
            noticed.p99.map_or("no message came".to_owned(), |p99| format!("p99 {p99:.0} us"));
        let case = if with_stalled { "one stalled" } else { "none stalled" };
        println!(
            "relay beside ncat/{name}, {case}: {} of {LISTENERS} got everything, {delay}",
            noticed.whole
        );
    }
}

async fn play_ours(policy: SlowPolicy) {
    let builder = TcpServer::builder().bind("127.0.0.1:0".parse().unwrap()).handler(Relay::new());
    let server = builder.slow_policy(policy).start().await.unwrap();
    play(&format!("{policy:?}"), server.local_addr()).await;
    server.shutdown(Duration::from_secs(1)).await;
}

fn main() {
    // Not in `cargo test --benches`, which only asks whether the bench runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for policy in [SlowPolicy::DropNewest, SlowPolicy::DropOldest, SlowPolicy::Disconnect] {
        let mut ratios = Vec::new();
        let (mut without, mut with, mut lost) = (Vec::new(), Vec::new(), 0);
        for _ in 0..PAIRS {
            let (quiet, _) = runtime.block_on(run(policy, false));
            let (stalled, dropped) = runtime.block_on(run(policy, true));
            ratios.push(stalled / quiet);
            without.push(quiet);
            with.push(stalled);
            lost = dropped;
        }
        assert!(lost > 0, "the stalled one was never in the way");
        let median = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[PAIRS / 2]
        };
        println!(
            "relay/{policy:?}: p99 {:.0} us without, {:.0} us with one stalled; ratio {:.2} (bar \
             {MOST}); {lost} messages not sent to the stalled one",
            median(&mut without),
            median(&mut with),
            median(&mut ratios),
        );
    }
    for policy in [SlowPolicy::DropNewest, SlowPolicy::Block(Duration::from_secs(1))] {
        runtime.block_on(play_ours(policy));
    }
    match broker::Broker::start() {
        Some(broker) => runtime.block_on(play("ncat --broker", broker.address)),
        None => println!("relay beside ncat: not run, there is no ncat"),
    }
}
