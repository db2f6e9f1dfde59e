//! A server that runs out of descriptors. Alone in its process, and one test at a time: the limit is
//! the process's.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "loopback/address.rs"]
mod address;
#[path = "loopback/clock.rs"]
mod clock;

use std::fs::File;
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use sockets_tcp::{Echo, Events, Operation, Refusal, ServerEvent, TcpServer};

use clock::stop_clock;

/// Only there to turn a hang into a failure.
const HANG: Duration = Duration::from_mins(1);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn accept_errors(server: &TcpServer) -> u64 {
    server.stats().snapshot().totals().errors.count(stats::ErrorKind::Accept)
}

/// Runs a test when no other one does: a runtime, too, needs descriptors.
fn alone(test: impl Future<Output = ()>) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

async fn server() -> TcpServer {
    TcpServer::builder().bind(address::any_port()).handler(Echo::new()).start().await.unwrap()
}

/// Sockets to connect with later, when there are no descriptors.
fn sockets(count: usize) -> Vec<Socket> {
    (0..count).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect()
}

async fn next(events: &mut Events<ServerEvent>) -> ServerEvent {
    let event = tokio::time::timeout(HANG, events.recv()).await.unwrap().unwrap();
    assert!(!matches!(event, ServerEvent::Lagged { .. }), "events missed");
    event
}

/// All descriptors there are.
struct Hoard {
    files: Vec<File>,
    before: Rlimit,
}

impl Hoard {
    fn take() -> Self {
        let before = getrlimit(Resource::Nofile);
        let few = Rlimit { current: Some(256), maximum: before.maximum };
        setrlimit(Resource::Nofile, few).unwrap();
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        Self { files, before }
    }

    fn give_back(&mut self) {
        self.files.clear();
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.before).unwrap();
    }
}

#[test]
fn accepting_recovers_by_itself_and_says_so_once() {
    alone(async {
        let _clock = stop_clock();
        let server = server().await;
        let mut events = server.events();
        let peers = sockets(2);
        let mut hoard = Hoard::take();
        for peer in &peers {
            peer.connect(&server.local_addr().into()).unwrap();
        }
        let mut seen = Vec::new();
        let mut episodes = 0;
        while seen.iter().filter(|event| matches!(event, ServerEvent::Connected { .. })).count() < 2
        {
            let event = next(&mut events).await;
            if matches!(event, ServerEvent::Error { .. }) {
                episodes += 1;
                // The episode lasts for several tries, and not so long that anybody is refused.
                while accept_errors(&server) < 3 {
                    tokio::time::advance(Duration::from_millis(1)).await;
                }
                hoard.give_back();
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            seen.push(event);
        }
        assert_eq!(episodes, 1, "one episode, told once: {seen:?}");
        let failure = seen.iter().find_map(|event| match event {
            ServerEvent::Error { client: None, failure } => Some(failure),
            _ => None,
        });
        assert_eq!(failure.unwrap().operation(), Operation::Accept);
        assert!(seen.iter().any(|event| matches!(event, ServerEvent::AcceptResumed { .. })));
    });
}

#[test]
fn in_a_long_shortage_clients_are_told_by_the_reserve() {
    alone(async {
        let server = server().await;
        let mut events = server.events();
        let mut peers = sockets(4);
        let mut hoard = Hoard::take();
        let mut last = peers.pop().unwrap();
        for peer in &mut peers {
            peer.connect(&server.local_addr().into()).unwrap();
        }
        let reset = tokio::task::spawn_blocking(move || {
            peers
                .iter_mut()
                .map(|peer| peer.read(&mut [0; 1]).unwrap_err().kind())
                .collect::<Vec<_>>()
        });
        let reset = tokio::time::timeout(HANG, reset).await.unwrap().unwrap();
        assert_eq!(reset, [std::io::ErrorKind::ConnectionReset; 3]);
        assert_eq!(server.info().refused, 3);
        hoard.give_back();
        last.connect(&server.local_addr().into()).unwrap();
        last.send(b"x").unwrap();
        let (mut errors, mut refused) = (0, None);
        loop {
            match next(&mut events).await {
                ServerEvent::Error { .. } => errors += 1,
                ServerEvent::AcceptResumed { refused: told, lasted } => {
                    assert!(lasted >= Duration::from_millis(100), "{lasted:?}");
                    refused = Some(told);
                }
                ServerEvent::Data { .. } => break,
                _ => {}
            }
        }
        assert_eq!((errors, refused), (1, Some(3)));
        let echoed = tokio::task::spawn_blocking(move || last.read(&mut [0; 1]).unwrap());
        assert_eq!(echoed.await.unwrap(), 1);
    });
}

/// Nobody comes any more, and the descriptors are back: the episode is over, and the next one is
/// told.
#[test]
fn a_shortage_that_ends_in_quiet_ends() {
    alone(async {
        let server = server().await;
        let mut events = server.events();
        assert!(matches!(next(&mut events).await, ServerEvent::Listening { .. }));
        for _ in 0..2 {
            let mut peers = sockets(2);
            let mut hoard = Hoard::take();
            for peer in &peers {
                peer.connect(&server.local_addr().into()).unwrap();
            }
            let told = next(&mut events).await;
            assert!(matches!(told, ServerEvent::Error { client: None, .. }), "{told:?}");
            let reset = tokio::task::spawn_blocking(move || {
                peers.iter_mut().all(|peer| peer.read(&mut [0; 1]).is_err())
            });
            assert!(tokio::time::timeout(HANG, reset).await.unwrap().unwrap());
            hoard.give_back();
            match next(&mut events).await {
                ServerEvent::AcceptResumed { refused, .. } => assert_eq!(refused, 2),
                other => panic!("{other:?}"),
            }
        }
    });
}

/// Who waits when the server ends, and there is no descriptor to accept him with, is told and counted.
#[test]
fn at_the_shutdown_who_waits_without_a_descriptor_is_told_and_counted() {
    alone(async {
        let server = server().await;
        let mut events = server.events();
        let mut peers = sockets(5);
        let mut hoard = Hoard::take();
        // Without an `await`: the one thread there is accepts none of them.
        for peer in &mut peers {
            peer.connect(&server.local_addr().into()).unwrap();
            peer.send(b"sent before the end").unwrap();
            while sockets_sys::unacknowledged_bytes(&*peer).unwrap() > 0 {
                std::thread::yield_now();
            }
        }
        let report = tokio::time::timeout(HANG, server.shutdown(HANG)).await.unwrap();
        hoard.give_back();
        assert_eq!((report.refused, report.drained, report.cut_off.len()), (5, 0, 0), "{report:?}");
        assert_eq!(server.info().refused, 5);
        let mut told = Vec::new();
        while let Some(received) = events.recv().await {
            if let ServerEvent::Refused { peer, reason } = received {
                assert_eq!(reason, Refusal::Shutdown);
                told.push(peer);
            }
        }
        let addresses: Vec<_> =
            peers.iter().map(|peer| peer.local_addr().unwrap().as_socket().unwrap()).collect();
        assert_eq!(told, addresses);
        for peer in &mut peers {
            let error = peer.read(&mut [0; 1]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    });
}
