//! A server that runs out of descriptors. Alone in its process, and one test at a time: the limit is
//! the process's.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fs::File;
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, Socket, Type};
use sockets_tcp::{Echo, Events, Operation, Received, ServerEvent, TcpServer};

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
    let address = "127.0.0.1:0".parse().unwrap();
    TcpServer::builder().bind(address).handler(Echo::new()).start().await.unwrap()
}

/// Sockets to connect with later, when there are no descriptors.
fn sockets(count: usize) -> Vec<Socket> {
    (0..count).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect()
}

async fn next(events: &mut Events<ServerEvent>) -> ServerEvent {
    let received = tokio::time::timeout(HANG, events.recv()).await.unwrap().unwrap();
    let Received::Event(event) = received else { panic!("events missed") };
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
                // The episode lasts for several tries.
                while accept_errors(&server) < 3 {
                    tokio::task::yield_now().await;
                }
                hoard.give_back();
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

/// The processor time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
#[ignore = "takes ten seconds: the processor time of a shortage that lasts"]
fn ten_seconds_out_of_descriptors_take_a_twentieth_of_a_core_at_most() {
    alone(async {
        const SHORTAGE: Duration = Duration::from_secs(10);
        let server = server().await;
        let mut events = server.events();
        let waiting = sockets(20);
        let mut late = sockets(1);
        let mut hoard = Hoard::take();
        // One after the other, so that there is always one that waits.
        let begun = cpu_time();
        for peer in &waiting {
            peer.connect(&server.local_addr().into()).unwrap();
            tokio::time::sleep(SHORTAGE / 20).await;
        }
        let used = cpu_time().saturating_sub(begun);
        hoard.give_back();
        let peer = late.pop().unwrap();
        peer.connect(&server.local_addr().into()).unwrap();
        let mut errors = 0;
        loop {
            match next(&mut events).await {
                ServerEvent::Error { .. } => errors += 1,
                ServerEvent::Connected { .. } => break,
                _ => {}
            }
        }
        assert_eq!(errors, 1, "told once");
        assert!(used <= SHORTAGE / 20, "{used:?} of processor time in {SHORTAGE:?}");
        assert_eq!(server.info().refused, 20);
    });
}
