//! A crowd that comes and goes while the server shuts down. Alone in its process: it counts the
//! descriptors and raises their limit.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "loopback/address.rs"]
mod address;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use sockets_tcp::{CloseReason, CutOff, Echo, ServerEvent, TcpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

/// Those who are connected when the shutdown begins.
const STANDING: usize = 1700;
/// Those who come, and go, around it.
const COMING: usize = 3300;
/// Both ends of each connection are in this process; and what else is open in it.
const DESCRIPTORS: u64 = 2 * (STANDING + COMING) as u64 + 500;
/// Only there to turn a hang into a failure.
const GRACE: Duration = Duration::from_mins(1);
const MESSAGE: usize = 1000;

/// What a client saw.
#[derive(Debug)]
enum Seen {
    /// The port was closed, or the connection reset before a byte came.
    Refused,
    /// The end of the stream, after so many bytes.
    End { received: u64 },
    /// A failure, after so many bytes.
    Broken { received: u64 },
    /// It reset the connection itself.
    Reset,
}

/// An address of loopback for each visitor: a port that a reset has freed is soon another one's.
fn address_of(visitor: usize) -> SocketAddr {
    let [.., high, low] = (visitor as u32).to_be_bytes();
    SocketAddr::from(([127, 1, high, low], 0))
}

/// Sends and reads until the server ends it, or resets the connection after a few rounds.
async fn visit(server: SocketAddr, number: usize) -> (Option<SocketAddr>, Seen) {
    let standing = number < STANDING;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address_of(number)).unwrap();
    let Ok(mut stream) = socket.connect(server).await else { return (None, Seen::Refused) };
    let local = stream.local_addr().unwrap();
    let rounds = if standing { usize::MAX } else { 1 + number % 3 };
    let mut received = 0;
    for _ in 0..rounds {
        if stream.write_all(&[number as u8; MESSAGE]).await.is_err() {
            break;
        }
        let mut answer = [0; MESSAGE];
        let mut read = 0;
        while read < MESSAGE {
            match stream.read(&mut answer[read..]).await {
                Ok(0) => return (Some(local), Seen::End { received }),
                Ok(now) => {
                    assert!(answer[read..read + now].iter().all(|byte| *byte == number as u8));
                    read += now;
                    received += now as u64;
                }
                Err(_) => return (Some(local), broken(received)),
            }
        }
        tokio::task::yield_now().await;
    }
    if number.is_multiple_of(5) && !standing {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        return (Some(local), Seen::Reset);
    }
    if stream.shutdown().await.is_err() {
        return (Some(local), broken(received));
    }
    let mut rest = Vec::new();
    let ended: io::Result<usize> = stream.read_to_end(&mut rest).await;
    received += rest.len() as u64;
    (Some(local), if ended.is_ok() { Seen::End { received } } else { broken(received) })
}

fn broken(received: u64) -> Seen {
    if received == 0 { Seen::Refused } else { Seen::Broken { received } }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How each connection that was served ended: by its client's address.
struct Books {
    ended: HashMap<SocketAddr, (CloseReason, u64)>,
    connected: usize,
}

async fn read_books(mut events: sockets_tcp::Events<ServerEvent>) -> Books {
    let mut books = Books { ended: HashMap::new(), connected: 0 };
    while let Some(received) = events.recv().await {
        match received {
            ServerEvent::Lagged { missed } => panic!("{missed} events missed"),
            ServerEvent::Connected { .. } => books.connected += 1,
            ServerEvent::Disconnected { peer, reason, bytes_out, .. } => {
                assert!(books.ended.insert(peer, (reason, bytes_out)).is_none());
            }
            _ => {}
        }
    }
    books
}

/// Every byte that the server sent, its client has, unless the connection is told as cut off or was
/// reset by the client.
fn compare(seen: &[(Option<SocketAddr>, Seen)], books: &Books, cut_off: &[CutOff]) {
    for (local, seen) in seen {
        let Some((local, entry)) = local.and_then(|local| Some((local, books.ended.get(&local))))
        else {
            continue;
        };
        let cut = cut_off.iter().any(|cut| cut.peer == local);
        match (seen, entry) {
            (Seen::End { received }, Some((reason, sent))) => {
                assert_eq!(received, sent, "{local}: a whole stream, {reason}");
                assert!(!cut, "{local}: cut off, and its stream looks whole");
            }
            (Seen::Broken { received }, Some((reason, sent))) => {
                assert!(received <= sent, "{local}: {received} of {sent}");
                assert!(received == sent || cut, "{local}: lost bytes, and is told as {reason}");
            }
            (Seen::End { .. } | Seen::Broken { .. }, None) => {
                panic!("{local} was served, and is in no book")
            }
            (Seen::Refused | Seen::Reset, _) => {}
        }
    }
}

/// Raises the limit of descriptors as far as the crowd needs it. A smaller crowd would be another
/// test.
fn make_room() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let maximum = maximum.map(|most| most.max(DESCRIPTORS));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum });
    assert_eq!(raised, Ok(()), "it takes {DESCRIPTORS} descriptors; `ulimit -Hn` is lower");
}

#[test]
fn a_crowd_that_comes_and_goes_while_the_server_shuts_down() {
    make_room();
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    // The first one of a process opens what it keeps for all (tokio's pipe of signals).
    drop(runtime().unwrap());
    let before = open_descriptors();
    let runtime = runtime().unwrap();
    runtime.block_on(async {
        // Who comes late finds its port closed, or somebody else's: but not at this address.
        let builder = TcpServer::builder().bind(address::any_port());
        let builder = builder.handler(Echo::new()).event_capacity(1 << 16);
        let server = builder.backlog(4096).start().await.unwrap();
        let address = server.local_addr();
        let books = tokio::spawn(read_books(server.events()));
        let mut crowd = JoinSet::new();
        for number in 0..STANDING {
            crowd.spawn(visit(address, number));
        }
        while server.info().active < STANDING {
            tokio::task::yield_now().await;
        }
        let mut seen = Vec::new();
        let shutdown = async {
            // When half of those who come have come.
            while server.info().accepted < (STANDING + COMING / 2) as u64 {
                tokio::task::yield_now().await;
            }
            server.shutdown(GRACE).await
        };
        for number in STANDING..STANDING + COMING {
            crowd.spawn(visit(address, number));
        }
        let (report, ()) = tokio::join!(shutdown, async {
            while let Some(one) = crowd.join_next().await {
                seen.push(one.unwrap());
            }
        });
        let books = books.await.unwrap();
        let info = server.info();
        let totals = server.stats().snapshot().totals();
        assert_eq!(seen.len(), STANDING + COMING);
        // Accepted is ended, one by one, and nobody is left.
        assert_eq!(books.connected as u64, info.accepted);
        assert_eq!(books.ended.len() as u64, info.accepted);
        assert_eq!((info.active, totals.active, totals.opened), (0, 0, info.accepted));
        // Nobody stands still, so nobody is waited for to the end of the grace.
        let overdue = report.cut_off.iter().find(|cut| cut.reason == CloseReason::Shutdown);
        assert_eq!(overdue, None);
        let at_the_end = report.drained + report.unread.len() + report.cut_off.len();
        assert!(at_the_end >= STANDING, "{at_the_end}");
        assert!(at_the_end as u64 <= info.accepted);
        let sent: u64 = books.ended.values().map(|(_, sent)| sent).sum();
        assert_eq!(sent, totals.bytes_sent);
        compare(&seen, &books, &report.cut_off);
        drop(server);
        // The tasks of connections and of accepting go behind their last event.
        let gone = async {
            while tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GRACE, gone).await.unwrap();
    });
    drop(runtime);
    assert_eq!(open_descriptors(), before);
}
