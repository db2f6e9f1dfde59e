//! The echo server against the shortest loop that tokio allows, on loopback.
//!
//! Both servers and their clients share one runtime of two threads. A round is one message there
//! and back on every connection; `bare` is `read` and `write_all` in one task per connection,
//! `server` is `TcpServer` with `Echo`, statistics on and nobody subscribed.
//!
//! The last lines are the ratios: rounds of both in turn, many times, so that whatever else the
//! machine does falls on both; the median of the samples' ratios (above 1: the server is faster).
//! `ECHO_RATIO=ping-pong-64B/1000` measures that one alone.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops where it fails")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockets_tcp::{Echo, TcpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const CONNECTIONS: [usize; 3] = [1, 64, 1000];
const SMALL: usize = 64;
const LARGE: usize = 64 * 1024;
/// How many samples a ratio is the median of: two runs of each.
const SAMPLES: usize = 21;
/// How long one run of a sample takes, about.
const RUN: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq)]
enum Pattern {
    PingPong,
    Stream,
}

impl Pattern {
    const ALL: [Self; 2] = [Self::PingPong, Self::Stream];

    fn name(self) -> &'static str {
        match self {
            Self::PingPong => "ping-pong-64B",
            Self::Stream => "stream-64KiB",
        }
    }

    fn message(self) -> usize {
        match self {
            Self::PingPong => SMALL,
            Self::Stream => LARGE,
        }
    }
}

async fn bare_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; LARGE];
                loop {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => stream.write_all(&buffer[..read]).await.unwrap(),
                    }
                }
            });
        }
    });
    address
}

async fn connect(address: SocketAddr, connections: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(stream);
    }
    streams
}

async fn rounds(mut stream: TcpStream, pattern: Pattern, rounds: u64) -> TcpStream {
    let mut buffer = vec![1; pattern.message()];
    match pattern {
        Pattern::PingPong => {
            for _ in 0..rounds {
                stream.write_all(&buffer).await.unwrap();
                stream.read_exact(&mut buffer).await.unwrap();
            }
            stream
        }
        Pattern::Stream => {
            let (mut reader, mut writer) = stream.into_split();
            let writing = tokio::spawn(async move {
                let buffer = vec![1; LARGE];
                for _ in 0..rounds {
                    writer.write_all(&buffer).await.unwrap();
                }
                writer
            });
            let mut left = rounds * LARGE as u64;
            while left > 0 {
                left -= reader.read(&mut buffer).await.unwrap() as u64;
            }
            reader.reunite(writing.await.unwrap()).unwrap()
        }
    }
}

/// So many rounds on all connections at the same time.
async fn run(streams: &mut Vec<TcpStream>, pattern: Pattern, count: u64) -> Duration {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for stream in streams.drain(..) {
        tasks.spawn(rounds(stream, pattern, count));
    }
    streams.extend(tasks.join_all().await);
    begun.elapsed()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn serve(runtime: &Runtime) -> (TcpServer, [(&'static str, SocketAddr); 2]) {
    let server = runtime.block_on(async {
        let address = "127.0.0.1:0".parse().unwrap();
        TcpServer::builder().bind(address).handler(Echo::new()).start().await.unwrap()
    });
    let bare = runtime.block_on(bare_server());
    let servers = [("bare", bare), ("server", server.local_addr())];
    (server, servers)
}

fn echo(criterion: &mut Criterion) {
    let runtime = runtime();
    let (_server, servers) = serve(&runtime);
    for pattern in Pattern::ALL {
        let mut group = criterion.benchmark_group(format!("echo/{}", pattern.name()));
        for connections in CONNECTIONS {
            group.throughput(Throughput::Bytes((pattern.message() * connections) as u64));
            for (name, address) in servers {
                let mut streams = runtime.block_on(connect(address, connections));
                group.bench_function(BenchmarkId::new(name, connections), |bencher| {
                    bencher
                        .iter_custom(|count| runtime.block_on(run(&mut streams, pattern, count)));
                });
            }
        }
    }
}

fn ratios() {
    let only = std::env::var("ECHO_RATIO");
    let runtime = runtime();
    let (_server, servers) = serve(&runtime);
    for pattern in Pattern::ALL {
        for connections in CONNECTIONS {
            let name = format!("{}/{connections}", pattern.name());
            if only.as_ref().is_ok_and(|only| *only != name) {
                continue;
            }
            let mut streams =
                servers.map(|(_, address)| runtime.block_on(connect(address, connections)));
            let [bare, server] = &mut streams;
            let time = |streams: &mut Vec<TcpStream>, count| {
                runtime.block_on(run(streams, pattern, count)).as_secs_f64()
            };
            let trial = time(bare, 10) / 10.0;
            let count = (RUN.as_secs_f64() / trial).ceil() as u64;
            let mut ratios: Vec<f64> = (0..SAMPLES)
                .map(|sample| {
                    // There and back, and each goes first as often as the other: what a run leaves
                    // to the next one (a warm cache, a clock rate) falls on both.
                    let (mut of_bare, mut of_server) = (0.0, 0.0);
                    for place in 0..4 {
                        if [0, 3].contains(&place) == (sample % 2 == 0) {
                            of_bare += time(bare, count);
                        } else {
                            of_server += time(server, count);
                        }
                    }
                    of_bare / of_server
                })
                .collect();
            ratios.sort_by(f64::total_cmp);
            println!(
                "ratio/{name}: {:.3} (quartiles {:.3} to {:.3})",
                ratios[SAMPLES / 2],
                ratios[SAMPLES / 4],
                ratios[SAMPLES * 3 / 4],
            );
        }
    }
}

criterion_group!(benches, echo);

/// Both ends of all connections are in this process.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

fn main() {
    raise_descriptor_limit();
    benches();
    Criterion::default().configure_from_args().final_summary();
    // Not in `cargo test --benches`, which only asks whether the bench runs.
    if std::env::args().any(|argument| argument == "--bench") {
        ratios();
    }
}
