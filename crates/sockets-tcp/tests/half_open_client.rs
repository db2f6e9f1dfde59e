//! A server that vanishes without a word. Alone in its process and its network namespace: it takes
//! the loopback interface down.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::process::Command;
use std::time::Duration;

use sockets_tcp::{ClientEvent, Events, Keepalive, Received, TcpClient, TcpClientBuilder};
use tokio::net::{TcpListener, TcpStream};

/// Only there to turn a hang into a failure.
const HANG: Duration = Duration::from_mins(1);

fn loopback(state: &str) {
    let status = Command::new("ip").args(["link", "set", "lo", state]).status().unwrap();
    assert!(status.success(), "ip link set lo {state}");
}

async fn pair(set_up: impl FnOnce(TcpClientBuilder) -> TcpClientBuilder) -> (TcpClient, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = set_up(TcpClient::builder(listener.local_addr().unwrap()));
    let (client, accepted) = tokio::join!(builder.connect(), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

async fn failure(events: &mut Events<ClientEvent>) -> std::io::ErrorKind {
    tokio::time::timeout(HANG, async {
        loop {
            let received = events.recv().await.unwrap();
            if let Received::Event(ClientEvent::Error { failure }) = received {
                return failure.kind().unwrap();
            }
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
#[ignore = "needs root and a network namespace of its own: it takes `lo` down"]
async fn a_server_that_vanishes_is_noticed_by_probes_and_by_the_user_timeout() {
    let second = Duration::from_secs(1);
    let keepalive = Keepalive::new().idle(second).interval(second).count(1);
    let (silent, _peer) = pair(|builder| builder.keepalive(keepalive)).await;
    let (sender, _other) = pair(|builder| builder.user_timeout(second)).await;
    let (mut silent_events, mut sender_events) = (silent.events(), sender.events());
    loopback("down");
    sender.send("is anybody there?".into()).await.unwrap();
    let failures = tokio::join!(failure(&mut silent_events), failure(&mut sender_events));
    loopback("up");
    let expected = std::io::ErrorKind::TimedOut;
    assert_eq!(failures, (expected, expected));
}
