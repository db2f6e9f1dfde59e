//! Who waits gets its turn: senders in a line, the flushing beside a busy handler, the clock.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{CloseReason, Connection, Discard, SlowPolicy, handler_fn};
use tokio::io::AsyncReadExt;

use crate::clock::stop_clock;
use crate::support::{HANG, connected, disconnected, server, small_peer, wait};

#[tokio::test]
async fn a_steady_reader_is_not_slow_and_no_sender_starves() {
    const PATIENCE: Duration = Duration::from_mins(1);
    /// After so much of what it reads the clock goes on: in all many times as long as the patience.
    const STEP: usize = 256 * 1024;
    let _clock = stop_clock();
    let builder = server(Discard).queue_bytes(64 * 1024).slow_policy(SlowPolicy::Block(PATIENCE));
    let server = Arc::new(builder.start().await.unwrap());
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    let id = wait(&mut events, connected).await;
    let stop = Arc::new(AtomicBool::new(false));
    let sender = |len: usize| {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut accepted = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                server.send(id, Bytes::from(vec![1; len])).await.unwrap();
                accepted += 1;
            }
            accepted
        })
    };
    // Two small ones would always find the room that the large one waits for.
    let senders = [sender(1024), sender(1024), sender(60 * 1024)];
    let reading = tokio::spawn(async move {
        let mut read = 0;
        let mut buffer = vec![0; 4096];
        while let Ok(now @ 1..) = peer.read(&mut buffer).await {
            let steps = read / STEP;
            read += now;
            if read > 24 << 20 {
                stop.store(true, Ordering::Relaxed);
            } else if read / STEP > steps {
                tokio::time::advance(PATIENCE / 8).await;
            }
        }
    });
    let mut accepted = Vec::new();
    for sender in senders {
        accepted.push(sender.await.unwrap());
    }
    assert!(accepted.iter().all(|count| *count > 40), "{accepted:?}");
    assert!(accepted[0].abs_diff(accepted[1]) <= accepted[0] / 2, "{accepted:?}");
    server.shutdown(HANG).await;
    reading.await.unwrap();
}

/// Sends without an end, from a thread of its own, until the connection ends.
fn upload(mut peer: TcpStream) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || while peer.write_all(&[0; 16384]).is_ok() {})
}

#[tokio::test]
async fn a_handler_that_always_has_input_does_not_keep_its_queue_from_going_out() {
    const MUCH: usize = 16 << 20;
    let handler = handler_fn(|mut connection: Connection| async move {
        while connection.read(&mut [0; 8]).await? > 0 {}
        Ok(())
    });
    let server = server(handler).queue_bytes(MUCH).start().await.unwrap();
    let mut events = server.events();
    let mut peer = TcpStream::connect(server.local_addr()).unwrap();
    let id = wait(&mut events, connected).await;
    let uploading = upload(peer.try_clone().unwrap());
    server.send(id, Bytes::from(vec![2; MUCH])).await.unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        peer.read_exact(&mut vec![0; MUCH]).unwrap();
        peer.shutdown(Shutdown::Both).unwrap();
    });
    tokio::time::timeout(HANG, reading).await.unwrap().unwrap();
    drop(server);
    uploading.join().unwrap();
}

#[tokio::test]
async fn a_peer_that_never_stops_sending_does_not_hold_the_clock() {
    let handler = handler_fn(|_: Connection| async { Ok(()) });
    let server = server(handler).linger(Duration::from_millis(20)).start().await.unwrap();
    let mut events = server.events();
    let uploading = upload(TcpStream::connect(server.local_addr()).unwrap());
    let busy = tokio::spawn(async {
        loop {
            // As long as the peer needs to fill the socket again.
            std::thread::sleep(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Local);
    busy.abort();
    uploading.join().unwrap();
}
