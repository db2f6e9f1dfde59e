//! A server that runs out of descriptors. Alone in its process: the limit is the process's.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use sockets_tcp::{Echo, Operation, Received, ServerEvent, TcpServer};

/// Only there to turn a hang into a failure.
const HANG: Duration = Duration::from_mins(1);

fn accept_errors(server: &TcpServer) -> u64 {
    server.stats().snapshot().totals().errors.count(stats::ErrorKind::Accept)
}

#[tokio::test]
async fn accepting_recovers_by_itself_and_says_so_once() {
    let address = "127.0.0.1:0".parse().unwrap();
    let server = TcpServer::builder().bind(address).handler(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let peers: Vec<_> =
        (0..2).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();

    let before = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(64), maximum: before.maximum };
    setrlimit(Resource::Nofile, few).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    for peer in &peers {
        peer.connect(&server.local_addr().into()).unwrap();
    }
    let mut seen = Vec::new();
    let mut episodes = 0;
    while seen.iter().filter(|event| matches!(event, ServerEvent::Connected { .. })).count() < 2 {
        let received = tokio::time::timeout(HANG, events.recv()).await.unwrap().unwrap();
        let Received::Event(event) = received else { panic!("events missed") };
        if matches!(event, ServerEvent::Error { .. }) {
            episodes += 1;
            // The episode lasts for several tries.
            while accept_errors(&server) < 3 {
                tokio::task::yield_now().await;
            }
            hoard.clear();
        }
        seen.push(event);
    }
    setrlimit(Resource::Nofile, before).unwrap();
    assert_eq!(episodes, 1, "one episode, told once: {seen:?}");
    let failure = seen.iter().find_map(|event| match event {
        ServerEvent::Error { client: None, failure } => Some(failure),
        _ => None,
    });
    assert_eq!(failure.unwrap().operation(), Operation::Accept);
}
