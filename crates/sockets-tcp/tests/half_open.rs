//! A peer that is gone without a word, in a network namespace of the test's own.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use nix::sched::{CloneFlags, unshare};
use sockets_tcp::{
    ClientEvent, CloseReason, Discard, Keepalive, ServerEvent, TcpClient, TcpClientBuilder,
    TcpServer,
};
use tokio::net::{TcpListener, TcpStream};

/// Runs a test on a thread in a network namespace that nobody else has, and that goes with it.
fn alone(test: impl Future<Output = ()> + Send + 'static) {
    std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        loopback("up");
        // All on this thread: no other one is in the namespace.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    })
    .join()
    .unwrap();
}

/// Down, it loses every packet, and tells nobody.
fn loopback(state: &str) {
    let status = Command::new("ip").args(["link", "set", "lo", state]).status().unwrap();
    assert!(status.success(), "ip link set lo {state}");
}

async fn reason(server: &TcpServer) -> CloseReason {
    let mut events = server.events();
    loop {
        match events.recv().await.unwrap() {
            ServerEvent::Disconnected { reason, .. } => return reason,
            ServerEvent::Lagged { missed } => panic!("{missed} events missed"),
            _ => {}
        }
    }
}

#[test]
#[ignore = "needs root and ip: takes the link of a namespace of its own down"]
fn keepalive_notices_a_silent_peer_that_is_gone() {
    alone(async {
        let second = Duration::from_secs(1);
        let keepalive = Keepalive::new().idle(second).interval(second).count(2);
        let builder = TcpServer::builder().bind("127.0.0.1:0".parse().unwrap()).handler(Discard);
        let server = builder.keepalive(keepalive).start().await.unwrap();
        let _peer = TcpStream::connect(server.local_addr()).await.unwrap();
        while server.info().active == 0 {
            tokio::task::yield_now().await;
        }
        loopback("down");
        assert_eq!(reason(&server).await, CloseReason::Reset);
    });
}

#[test]
#[ignore = "needs root and ip: takes the link of a namespace of its own down"]
fn the_user_timeout_bounds_how_long_bytes_stay_unacknowledged() {
    alone(async {
        let builder = TcpServer::builder().bind("127.0.0.1:0".parse().unwrap()).handler(Discard);
        let server = builder.user_timeout(Duration::from_millis(500)).start().await.unwrap();
        let _peer = TcpStream::connect(server.local_addr()).await.unwrap();
        while server.info().active == 0 {
            tokio::task::yield_now().await;
        }
        loopback("down");
        let client = server.clients()[0].id;
        server.send(client, Bytes::from_static(b"into the void")).await.unwrap();
        assert_eq!(reason(&server).await, CloseReason::Reset);
    });
}

/// Why a client's connection ended whose server vanished, and how reading or writing failed.
async fn vanished(
    set_up: impl FnOnce(TcpClientBuilder) -> TcpClientBuilder,
    message: &'static str,
) -> (std::io::ErrorKind, CloseReason) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = set_up(TcpClient::builder(listener.local_addr().unwrap()));
    let (client, accepted) = tokio::join!(builder.connect(), listener.accept());
    let (client, _peer) = (client.unwrap(), accepted.unwrap().0);
    let mut events = client.events();
    loopback("down");
    client.send(message.into()).await.unwrap();
    let mut failed = None;
    loop {
        match events.recv().await.unwrap() {
            ClientEvent::Error { failure } => failed = failure.kind(),
            ClientEvent::Disconnected { reason, .. } => {
                return (failed.unwrap(), reason);
            }
            ClientEvent::Lagged { missed } => panic!("{missed} events missed"),
            _ => {}
        }
    }
}

const GONE: (std::io::ErrorKind, CloseReason) = (std::io::ErrorKind::TimedOut, CloseReason::Reset);

#[test]
#[ignore = "needs root and ip: takes the link of a namespace of its own down"]
fn a_clients_probes_notice_a_server_that_is_gone() {
    alone(async {
        let second = Duration::from_secs(1);
        let keepalive = Keepalive::new().idle(second).interval(second).count(1);
        assert_eq!(vanished(|builder| builder.keepalive(keepalive), "").await, GONE);
    });
}

#[test]
#[ignore = "needs root and ip: takes the link of a namespace of its own down"]
fn a_clients_user_timeout_notices_a_server_that_is_gone() {
    alone(async {
        let timeout = Duration::from_millis(500);
        assert_eq!(vanished(|builder| builder.user_timeout(timeout), "lost").await, GONE);
    });
}
