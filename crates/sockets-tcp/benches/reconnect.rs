//! A thousand clients after their server restarts: how crowded the fullest 100 ms of their return
//! are. The bar is five times the mean.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops where it fails, and prints"
)]

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use sockets_tcp::{Discard, Events, Reconnect, ServerEvent, TcpClient, TcpServer};

const CLIENTS: usize = 1000;
/// Only there to turn a hang into a failure.
const HANG: Duration = Duration::from_mins(2);
/// The bar: no 100 ms hold more than five times the mean.
const WINDOW: Duration = Duration::from_millis(100);
const MOST: f64 = 5.0;

async fn serve(socket: &Socket) -> TcpServer {
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let builder = TcpServer::builder().bind(address).handler(Discard);
    builder.max_connections(2 * CLIENTS).event_capacity(1 << 14).start().await.unwrap()
}

/// When each of the clients connected.
async fn arrivals(events: &mut Events<ServerEvent>) -> Vec<Instant> {
    let mut arrivals = Vec::new();
    while arrivals.len() < CLIENTS {
        let received = tokio::time::timeout(HANG, events.recv()).await.unwrap().unwrap();
        match received {
            ServerEvent::Connected { .. } => arrivals.push(Instant::now()),
            ServerEvent::Lagged { missed } => panic!("{missed} events missed"),
            _ => {}
        }
    }
    arrivals
}

/// The fullest window between the first and the last, as a multiple of the mean.
fn crowding(arrivals: &[Instant]) -> f64 {
    let fullest = (0..arrivals.len())
        .map(|from| arrivals[from..].partition_point(|at| *at <= arrivals[from] + WINDOW))
        .max()
        .unwrap();
    let span = arrivals[arrivals.len() - 1] - arrivals[0];
    let windows = (span.as_secs_f64() / WINDOW.as_secs_f64()).max(1.0);
    fullest as f64 * windows / arrivals.len() as f64
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: before.maximum, ..before }).unwrap();
    // Holds the port while the server is away.
    let reserved = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    reserved.set_reuse_address(true).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    reserved.bind(&any.into()).unwrap();
    let address = reserved.local_addr().unwrap().as_socket().unwrap();
    for outage in [0, 1000, 3000].map(Duration::from_millis) {
        let server = serve(&reserved).await;
        let mut events = server.events();
        let policy = Reconnect::new().base(Duration::from_millis(500)).unlimited();
        let policy = policy.stable_after(Duration::ZERO);
        let clients: Vec<TcpClient> = (0..CLIENTS)
            .map(|_| TcpClient::builder(address).reconnect(policy).event_capacity(64).start())
            .collect();
        arrivals(&mut events).await;
        server.shutdown(Duration::from_secs(5)).await;
        drop(server);
        tokio::time::sleep(outage).await;
        let server = serve(&reserved).await;
        let mut events = server.events();
        let arrivals = arrivals(&mut events).await;
        let span = arrivals[arrivals.len() - 1] - arrivals[0];
        let crowding = crowding(&arrivals);
        let verdict = if crowding <= MOST { "met" } else { "missed" };
        println!(
            "away for {outage:?}: the fullest {WINDOW:?} hold {crowding:.1} times the mean (bar {MOST}: \
             {verdict}); all back within {span:?}"
        );
        drop(clients);
        server.shutdown(Duration::from_secs(5)).await;
    }
}
