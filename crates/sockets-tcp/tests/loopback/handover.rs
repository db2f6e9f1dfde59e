//! Listeners that outlive their server, and turns for others while a long backlog is drained.

use std::net::{TcpListener, TcpStream as StdStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use sockets_tcp::{Echo, Relay, TcpServer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::arrival::delivered;
use crate::support::{HANG, any_port, connected, peer, read_to_end, server, wait};

/// As after a restart without a gap: whoever still waits is the next instance's to serve.
#[tokio::test]
async fn who_waits_on_a_listener_that_was_given_is_left_to_the_next_instance() {
    const WAITING: usize = 5;
    let listener = TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let next = listener.try_clone().unwrap();
    let builder = TcpServer::builder().listener(listener).handler(Echo::new()).max_connections(1);
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let mut served = peer(address).await;
    wait(&mut events, connected).await;
    // There is one place, and it is taken.
    let waiting: Vec<_> = (0..WAITING).map(|_| StdStream::connect(address).unwrap()).collect();
    let (report, ()) = tokio::join!(server.shutdown(HANG), async {
        read_to_end(&mut served).await.unwrap();
        drop(served);
    });
    assert_eq!((report.drained, report.refused), (1, 0), "{report:?}");
    assert_eq!(server.info().refused, 0);
    // The socket is one, and the server's did not block.
    next.set_nonblocking(false).unwrap();
    for peer in &waiting {
        let (_, from) = next.accept().unwrap();
        assert_eq!(from, peer.local_addr().unwrap(), "in their order, and none is missing");
    }
}

#[tokio::test]
async fn who_waits_on_a_listener_that_is_the_servers_alone_is_drained_or_told() {
    let listener = TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    let builder = TcpServer::builder().exclusive_listener(listener).handler(Echo::new());
    let server = builder.max_connections(1).start().await.unwrap();
    // Without an `await`: the one thread there is has accepted none of them.
    let mut first = StdStream::connect(address).unwrap();
    let mut second = StdStream::connect(address).unwrap();
    std::io::Write::write_all(&mut first, b"sent before the end").unwrap();
    first.shutdown(std::net::Shutdown::Write).unwrap();
    std::io::Write::write_all(&mut second, b"in vain").unwrap();
    delivered(&first);
    delivered(&second);
    let report = server.shutdown(HANG).await;
    assert_eq!((report.drained, report.refused), (1, 1), "{report:?}");
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut first, &mut answer).unwrap();
    assert_eq!(answer, b"sent before the end");
    std::io::Read::read(&mut second, &mut [0; 1]).unwrap_err();
}

#[tokio::test]
async fn others_have_their_turn_while_a_long_backlog_is_drained() {
    const WAITING: usize = 200;
    let builder = server(Echo::new()).max_connections(1).linger(Duration::from_millis(20));
    let server = Arc::new(builder.start().await.unwrap());
    let mut events = server.events();
    let mut served = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let waiting: Vec<_> =
        (0..WAITING).map(|_| StdStream::connect(server.local_addr()).unwrap()).collect();
    let looking = tokio::spawn({
        let server = Arc::clone(&server);
        async move {
            loop {
                match server.info().refused as usize {
                    0 => tokio::task::yield_now().await,
                    refused => return refused,
                }
            }
        }
    });
    let (report, ()) = tokio::join!(server.shutdown(HANG), async {
        read_to_end(&mut served).await.unwrap();
        drop(served);
    });
    // Those who had the one place, one after the other, are the rest.
    assert_eq!(report.refused + report.drained + report.cut_off.len(), 1 + WAITING, "{report:?}");
    let first_look = looking.await.unwrap();
    assert!(first_look < WAITING, "{first_look} of them without a turn for others");
    drop(waiting);
}

/// What `late` said last, as the server ends, is what `listener` hears.
async fn passes_on_at_the_end(server: &TcpServer, late: impl AsFd, mut listener: TcpStream) {
    delivered(&late);
    let (report, heard) = tokio::join!(server.shutdown(HANG), async {
        drop(late);
        let heard = read_to_end(&mut listener).await.unwrap();
        drop(listener);
        heard
    });
    assert_eq!(heard, b"last words");
    assert_eq!(report.drained, 2, "{report:?}");
}

#[tokio::test]
async fn a_relay_passes_on_what_comes_from_the_backlog_at_the_end() {
    let server = server(Relay::new()).start().await.unwrap();
    let mut events = server.events();
    let listener = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    // Without an `await`: the one thread there is has not accepted it.
    let mut late = StdStream::connect(server.local_addr()).unwrap();
    std::io::Write::write_all(&mut late, b"last words").unwrap();
    passes_on_at_the_end(&server, late, listener).await;
}

/// The same for one who was accepted already, and whose task has not had its first turn.
#[tokio::test]
async fn a_relay_passes_on_what_a_client_sends_that_came_just_before_the_end() {
    let server = server(Relay::new()).start().await.unwrap();
    let mut events = server.events();
    let listener = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let mut late = peer(server.local_addr()).await;
    late.write_all(b"last words").await.unwrap();
    passes_on_at_the_end(&server, late, listener).await;
}
