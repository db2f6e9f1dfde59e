//! What comes when a peer's input is not taken any more, at virtual time.

use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream as StdStream};

use tokio::net::TcpStream;

use super::super::wire::LINGER;
use super::*;

fn pair() -> (TcpStream, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (TcpStream::from_std(stream).unwrap(), peer)
}

/// Once there is something to read, no time passes until it is read.
async fn arrived(stream: &TcpStream) {
    stream.readable().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_on_sending_is_not_waited_for() {
    let (mut stream, mut peer) = pair();
    peer.write_all(b"more").unwrap();
    arrived(&stream).await;
    let begun = Instant::now();
    assert_eq!(late_input(&mut stream).await, 1);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_ends_is_not_waited_for() {
    let (mut stream, peer) = pair();
    peer.shutdown(Shutdown::Write).unwrap();
    arrived(&stream).await;
    let begun = Instant::now();
    assert_eq!(late_input(&mut stream).await, 0);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_neither_is_waited_for_so_long() {
    let (mut stream, _peer) = pair();
    let begun = Instant::now();
    assert_eq!(late_input(&mut stream).await, 0);
    let waited = begun.elapsed();
    assert!(waited >= LINGER && waited < LINGER * 2, "{waited:?}");
}
