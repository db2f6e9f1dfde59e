//! The second signal, between its two halves.

use std::net::{Ipv4Addr, SocketAddr};

use sockets_tcp::{CloseReason, Events, ServerEvent, ShutdownReport};
use stats::{ErrorKind, SocketStats};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::args::ColorWhen;
use crate::output::{EventLog, Terminal};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn next<T>(
    events: &mut Events<ServerEvent>,
    mut pick: impl FnMut(ServerEvent) -> Option<T>,
) -> T {
    loop {
        let Some(event) = events.recv().await else { panic!("it does not come") };
        assert_eq!(events.missed(), 0);
        if let Some(picked) = pick(event) {
            return picked;
        }
    }
}

/// A handler may see that its target's connection is gone before the server cuts its client: it is not
/// what failed.
#[tokio::test]
async fn who_is_cut_by_the_second_signal_is_cut_by_the_end() {
    let target = TcpListener::bind(ANY).await.unwrap();
    let address = target.local_addr().unwrap();
    let quiet = Terminal::new(ColorWhen::Never, true, 0);
    let stats = SocketStats::new();
    let log = EventLog::open(None, CancellationToken::new()).unwrap();
    let endpoint = format!("tcp://{address}").parse().unwrap();
    let ledger = Ledger::of(endpoint, &stats, log.sender(), quiet);
    let targets = Targets(TcpClient::builder(address).stats(stats.clone()));
    let forward = Forward { targets, ledger: Arc::clone(&ledger), said: Said::new(quiet) };
    let server = TcpServer::builder().bind(ANY).stats(stats.clone()).handler(forward);
    let server = server.start().await.unwrap();
    let mut events = server.events();
    let mut client = TcpStream::connect(server.local_addr()).await.unwrap();
    let (mut there, _) = target.accept().await.unwrap();
    // The forwarding is under way.
    tokio::io::AsyncWriteExt::write_all(&mut client, b"?").await.unwrap();
    tokio::io::AsyncReadExt::read_exact(&mut there, &mut [0]).await.unwrap();

    ledger.cut_all(ShutdownReport::default);
    // Its handler is awake, and has its turn before the server is told.
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
    server.cut_off();
    let reason = next(&mut events, |event| match event {
        ServerEvent::Disconnected { reason, .. } => Some(reason),
        ServerEvent::Error { failure, .. } => panic!("{failure:?}"),
        _ => None,
    });
    assert_eq!(reason.await, CloseReason::Shutdown);
    assert_eq!(stats.snapshot().totals().errors.count(ErrorKind::Handler), 0);
    drop(client);
}
