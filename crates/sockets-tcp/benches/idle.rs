//! What an idle connection costs: user memory of a server with 10,000 of them.
//!
//! The server is this process, and nothing else is in it; its clients are another process, the same
//! program once more. Measured is the growth of resident memory (`/proc/self/statm`) from the
//! server with no client to all of them connected, and once more after each has sent 64 KiB and got
//! it back. The kernel's memory for the sockets is not in it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops where it fails")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockets_tcp::{Echo, TcpServer};

const CONNECTIONS: usize = 10_000;
/// The bar: 10 KB each.
const MOST: f64 = 10.0;
const MESSAGE: usize = 64 * 1024;
/// Tells the second process where the server is.
const SERVER: &str = "PORTS_BENCH_SERVER";

fn main() {
    // Not in `cargo test --benches`, which only asks whether the bench runs.
    if !cfg!(target_os = "linux") || !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    match std::env::var(SERVER) {
        Ok(address) => clients(address.parse().unwrap()),
        Err(_) => server(),
    }
}

/// Bytes of this process that are in memory.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as f64
}

fn server() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let address = "127.0.0.1:0".parse().unwrap();
        let builder = TcpServer::builder().bind(address).handler(Echo::new());
        builder.max_connections(CONNECTIONS).start().await.unwrap()
    });
    let mut clients = Command::new(std::env::current_exe().unwrap())
        .arg("--bench")
        .env(SERVER, server.local_addr().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    step(&mut clients);
    assert_eq!(server.info().active, 1);
    let before = resident();
    step(&mut clients);
    assert_eq!(server.info().active, CONNECTIONS);
    let connected = report("connected", before);
    step(&mut clients);
    let used = report("after 64 KiB there and back on each, one after the other", before);
    drop(clients.stdin.take());
    clients.wait().unwrap();
    assert!(connected <= MOST && used <= MOST, "more than {MOST} KB for each connection");
}

fn report(when: &str, before: f64) -> f64 {
    let each = (resident() - before) / 1000.0 / CONNECTIONS as f64;
    println!("idle/{CONNECTIONS}: {each:.2} KB of user memory for each connection, {when}");
    each
}

/// Lets the clients go on, and waits until they have.
fn step(clients: &mut Child) {
    clients.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    clients.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
}

/// The second process: one connection, then all, then all at work.
fn clients(server: SocketAddr) {
    let (mut input, mut output) = (std::io::stdin(), std::io::stdout());
    let mut go_on = |done: &mut dyn FnMut()| {
        if input.read(&mut [0]).unwrap() == 0 {
            return;
        }
        done();
        output.write_all(b"x").unwrap();
        output.flush().unwrap();
    };
    let mut streams: Vec<TcpStream> = Vec::new();
    let connect = |count: usize, streams: &mut Vec<TcpStream>| {
        while streams.len() < count {
            let mut stream = TcpStream::connect(server).unwrap();
            // An answer, so that the server has it in its books.
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            streams.push(stream);
        }
    };
    go_on(&mut || connect(1, &mut streams));
    go_on(&mut || connect(CONNECTIONS, &mut streams));
    go_on(&mut || {
        let mut message = vec![1; MESSAGE];
        for stream in &mut streams {
            stream.write_all(&message).unwrap();
            stream.read_exact(&mut message).unwrap();
        }
    });
    go_on(&mut || {});
}
