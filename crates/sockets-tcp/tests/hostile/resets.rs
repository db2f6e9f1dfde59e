//! Connections that end in a reset: before they are accepted, after, and in the middle of anything.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;
use sockets_tcp::{CloseReason, Echo, Events, ServerEvent, TcpServer};
use stats::ErrorKind;

use crate::support::{connected, disconnected, read_exactly, server, wait};

/// As many as a backlog holds.
const STORM: usize = 500;
const PLACES: usize = 8;
/// Those who are served beside the storm.
const HONEST: usize = 50;

fn reset(peer: TcpStream) {
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}

async fn storm_server() -> (TcpServer, Events<ServerEvent>) {
    let builder = server(Echo::new()).max_connections(PLACES).backlog(2 * STORM as u32);
    let server = builder.event_capacity(1 << 16).start().await.unwrap();
    let events = server.events();
    (server, events)
}

async fn is_served(address: SocketAddr) -> tokio::net::TcpStream {
    let mut honest = crate::support::peer(address).await;
    tokio::io::AsyncWriteExt::write_all(&mut honest, b"honest").await.unwrap();
    assert_eq!(read_exactly(&mut honest, 6).await, b"honest");
    honest
}

/// Every place is free: as many as there are places are served at the same time. And the books say
/// that all who came have gone, and that accepting never failed.
async fn nothing_is_left(server: &TcpServer, events: &mut Events<ServerEvent>, came: usize) {
    let mut honest = Vec::new();
    for _ in 0..PLACES {
        honest.push(is_served(server.local_addr()).await);
    }
    drop(honest);
    let mut left = 0;
    while left < came + PLACES {
        left += wait(events, |event| match event {
            ServerEvent::Disconnected { .. } => Some(1),
            ServerEvent::Error { client: None, failure } => panic!("{failure}"),
            _ => None,
        })
        .await;
    }
    let info = server.info();
    assert_eq!((info.active, info.accepted, info.refused), (0, (came + PLACES) as u64, 0));
    let totals = server.stats().snapshot().totals();
    assert_eq!((totals.active, totals.opened), (0, (came + PLACES) as u64));
    assert_eq!(totals.errors.count(ErrorKind::Accept), 0);
}

/// Linux hands out a connection that was reset while it waited; reading tells.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn resets_before_they_are_accepted_take_no_place() {
    let (server, mut events) = storm_server().await;
    // Without an `await`: the one thread there is accepts none of them meanwhile.
    for number in 0..STORM {
        let mut peer = TcpStream::connect(server.local_addr()).unwrap();
        if number % 2 == 0 {
            peer.write_all(b"hit and run").unwrap();
        }
        reset(peer);
    }
    drop(is_served(server.local_addr()).await);
    nothing_is_left(&server, &mut events, STORM + 1).await;
}

#[tokio::test]
async fn resets_after_they_are_accepted_take_no_place() {
    let (server, mut events) = storm_server().await;
    let mut honest = is_served(server.local_addr()).await;
    wait(&mut events, connected).await;
    for number in 0..STORM / 5 {
        let mut peer = TcpStream::connect(server.local_addr()).unwrap();
        wait(&mut events, connected).await;
        match number % 3 {
            // Silent.
            0 => {}
            // With bytes that nobody has read.
            1 => peer.write_all(b"hit and run").unwrap(),
            // In the middle of an answer that it does not read.
            _ => {
                peer.set_nonblocking(true).unwrap();
                while peer.write(&[7; 8192]).is_ok() {}
                wait(&mut events, |event| matches!(event, ServerEvent::Data { .. }).then_some(()))
                    .await;
            }
        }
        reset(peer);
        assert_eq!(wait(&mut events, disconnected).await, CloseReason::Reset);
        if number % 10 == 0 {
            tokio::io::AsyncWriteExt::write_all(&mut honest, b"still").await.unwrap();
            assert_eq!(read_exactly(&mut honest, 5).await, b"still");
        }
    }
    drop(honest);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::PeerClosed);
    assert_eq!(server.info().accepted, (STORM / 5 + 1) as u64);
    let mut all = Vec::new();
    for _ in 0..PLACES {
        all.push(is_served(server.local_addr()).await);
    }
    assert_eq!(server.info().active, PLACES);
}

/// From other threads, as fast as they can, while honest clients are served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_resets_stops_nobody() {
    let (server, mut events) = storm_server().await;
    let address = server.local_addr();
    let storms: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(move || {
                for number in 0..STORM {
                    let mut peer = TcpStream::connect(address).unwrap();
                    match number % 4 {
                        0 => {}
                        1 => drop(peer.write(b"hit and run")),
                        // Accepted for certain: its answer is there.
                        _ => {
                            peer.write_all(b"x").unwrap();
                            peer.read_exact(&mut [0; 1]).unwrap();
                        }
                    }
                    reset(peer);
                }
            })
        })
        .collect();
    for _ in 0..HONEST {
        drop(is_served(address).await);
    }
    for storm in storms {
        storm.join().unwrap();
    }
    nothing_is_left(&server, &mut events, 2 * STORM + HONEST).await;
}
