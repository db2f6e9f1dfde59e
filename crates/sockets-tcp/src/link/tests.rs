//! Draining and the idle clock, on a real connection.

mod idle;
mod missing;
#[cfg(feature = "tls")]
mod tls;
mod unlocked;

use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream as StdStream};

use ports_core::Transport;
use socket2::SockRef;
use stats::{Role, SocketStats};

use super::*;
use crate::client::ClientEvent;
use crate::events::Publisher;
use crate::failure::Operation;

/// A link and its peer.
fn pair() -> (Link, StdStream) {
    pair_told_to(Publisher::new(16, false, |missed| ClientEvent::Lagged { missed }))
}

fn pair_told_to(events: Publisher<ClientEvent>) -> (Link, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, remote) = listener.accept().unwrap();
    let tuple = FiveTuple::new(Transport::Tcp, stream.local_addr().unwrap(), remote);
    let mut recorder = SocketStats::new().open(Transport::Tcp, Role::Client, tuple);
    let link = Link::new(
        Tcp::register(stream).unwrap(),
        tuple,
        Observer::Client(events),
        QueueLimits { bytes: 1024, messages: 16 },
        recorder.split(),
        true,
    );
    (link, peer)
}

async fn read(link: &Link, len: usize) -> Vec<u8> {
    let mut buffer = vec![0; len];
    let read = poll_fn(|context| link.poll_read(context, &mut buffer)).await.unwrap();
    buffer.truncate(read);
    buffer
}

async fn poll_once<F: Future<Output: std::fmt::Debug>>(mut future: std::pin::Pin<&mut F>) {
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending(), "nobody reads");
        std::task::Poll::Ready(())
    })
    .await;
}

/// Until the kernel holds exactly so many bytes for the link.
async fn arrived(link: &Link, len: u64) {
    while link.arrived() != len {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn draining_reads_all_that_had_arrived_and_no_more() {
    let (link, mut peer) = pair();
    peer.write_all(&[1; 1000]).unwrap();
    arrived(&link, 1000).await;
    link.drain();
    assert!(link.is_draining());
    assert_eq!(read(&link, 10).await, [1; 10]);
    peer.write_all(&[2; 500]).unwrap();
    arrived(&link, 990 + 500).await;
    assert_eq!(read(&link, 5000).await, [1; 990], "what came later is not served");
    assert_eq!(read(&link, 5000).await, [0; 0]);
    assert!(!link.peer_ended());
}

/// A peer that has ended its stream, and then is gone, is found out by what it does not take.
#[tokio::test]
async fn a_failure_behind_the_peers_end_is_one_of_writing() {
    let publisher = Publisher::new(16, false, |missed| ClientEvent::Lagged { missed });
    let mut events = publisher.subscribe();
    let (link, peer) = pair_told_to(publisher);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read(&link, 10).await, [0; 0]);
    assert!(link.peer_ended() && !link.has_failed());
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    while !link.has_failed() {
        tokio::task::yield_now().await;
    }
    assert_eq!(events.try_recv(), Ok(ClientEvent::HalfClosed));
    let Ok(ClientEvent::Error { failure }) = events.try_recv() else {
        panic!("it is told");
    };
    assert_eq!(failure.operation(), Operation::Write);
    assert_eq!(failure.kind(), Some(std::io::ErrorKind::BrokenPipe));
}

#[tokio::test]
async fn draining_wakes_a_reader_that_waits() {
    let (link, _peer) = pair();
    let waiting = read(&link, 10);
    let drained = async {
        tokio::task::yield_now().await;
        link.drain();
    };
    assert_eq!(tokio::join!(waiting, drained).0, [0; 0]);
}

#[tokio::test]
async fn a_buried_link_refuses_and_ends() {
    let (link, mut peer) = pair();
    peer.write_all(&[1; 10]).unwrap();
    arrived(&link, 10).await;
    link.bury();
    let mut end = String::new();
    peer.read_to_string(&mut end).expect_err("unread input: a reset");
    for _ in 0..2 {
        let mut buffer = [0; 10];
        let error = poll_fn(|context| link.poll_read(context, &mut buffer)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    }
    assert_eq!(link.offer(&bytes::Bytes::from_static(b"x"), false), Offer::Gone);
    assert!(link.write_all(b"x").await.is_err());
    assert!(!link.send(&bytes::Bytes::from_static(b"x")).await);
}

#[tokio::test]
async fn a_write_given_up_counts_as_lost() {
    let (link, _peer) = pair();
    let data = vec![0; 32 << 20];
    {
        let mut writing = std::pin::pin!(link.write_all(&data));
        while link.traffic().bytes_out == 0 {
            poll_once(writing.as_mut()).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(link.traffic().queued.messages, 1);
    }
    let traffic = link.traffic();
    assert_eq!((traffic.queued.messages, traffic.lost.messages), (0, 1));
    assert_eq!(traffic.lost.bytes as u64 + traffic.bytes_out, 32 << 20);
    assert_eq!(link.offer(&bytes::Bytes::from_static(b"x"), false), Offer::Gone);
}

#[tokio::test]
async fn a_write_given_up_before_its_beginning_leaves_the_stream_whole() {
    let (link, _peer) = pair();
    let data = vec![0; 1 << 20];
    // The readiness of a new socket is not known yet, so nothing can be written.
    poll_once(std::pin::pin!(link.write_all(&data))).await;
    let traffic = link.traffic();
    assert_eq!((traffic.bytes_out, traffic.lost.messages), (0, 0));
    assert_eq!((traffic.dropped.messages, traffic.dropped.bytes), (1, 1 << 20));
    assert!(matches!(
        link.offer(&bytes::Bytes::from_static(b"x"), false),
        Offer::Accepted { dropped: 0 }
    ));
}

#[tokio::test]
async fn nothing_written_is_no_message() {
    let (link, _peer) = pair();
    link.write_all(b"").await.unwrap();
    assert!(link.send(&bytes::Bytes::new()).await);
    let traffic = link.traffic();
    assert_eq!((traffic.bytes_out, traffic.queued.messages), (0, 0));
}

#[tokio::test]
async fn who_waits_for_room_keeps_the_place_until_it_is_given_back() {
    let (link, _peer) = pair();
    let message = |len| bytes::Bytes::from(vec![0; len]);
    let (large, small) = (message(1000), message(20));
    // Nothing is sent before the task is polled: the outbox of 1,024 bytes fills.
    while link.offer(&large, false) != Offer::Full {}
    let mut first = Box::pin(link.send(&large));
    let mut second = Box::pin(link.send(&small));
    poll_once(first.as_mut()).await;
    poll_once(second.as_mut()).await;
    assert_eq!(link.offer(&small, false), Offer::Full, "there is room, but others came first");
    drop(first);
    assert!(second.await, "the next in the line has its room at once");
    assert!(matches!(link.offer(&message(1), false), Offer::Accepted { .. }));
}

#[tokio::test]
async fn finishing_turns_away_who_waits_for_room() {
    let (link, _peer) = pair();
    let message = bytes::Bytes::from(vec![0; 1000]);
    while link.offer(&message, false) != Offer::Full {}
    let mut waiting = Box::pin(link.send(&message));
    poll_once(waiting.as_mut()).await;
    link.begin_finish();
    assert!(!waiting.await);
}

#[tokio::test]
async fn a_message_waits_for_the_write_under_way() {
    let (link, mut peer) = pair();
    peer.set_nonblocking(true).unwrap();
    let data = vec![0; 32 << 20];
    let mut writing = std::pin::pin!(link.write_all(&data));
    poll_fn(|context| {
        assert!(writing.as_mut().poll(context).is_pending(), "the peer does not read");
        std::task::Poll::Ready(())
    })
    .await;
    let message = bytes::Bytes::from_static(b"between");
    assert_eq!(link.offer(&message, false), Offer::Accepted { dropped: 0 });
    let before = link.traffic().bytes_out;
    let mut scratch = vec![0; 1 << 20];
    let mut read = 0;
    while read < before as usize {
        read += peer.read(&mut scratch).unwrap_or(0);
    }
    poll_fn(|context| link.poll_writable(context)).await;
    poll_fn(|context| {
        assert!(link.poll_service(context, true).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    let traffic = link.traffic();
    assert_eq!(traffic.bytes_out, before, "it would be in the middle of the other");
    assert_eq!(traffic.queued.messages, 2);
}

/// Whoever takes anything within the time has not stalled, however little and however long.
#[tokio::test(start_paused = true)]
async fn a_slow_peer_has_not_stalled_and_one_that_stops_has() {
    const PATIENCE: Duration = Duration::from_mins(1);
    let (link, _peer) = pair();
    let taken = || lock(&link.sending).taken_by_peer();
    let mut stalled = std::pin::pin!(link.stalled(PATIENCE));
    for _ in 0..8 {
        poll_once(stalled.as_mut()).await;
        let before = taken();
        let little = bytes::Bytes::from_static(b"a little");
        assert_eq!(link.offer(&little, false), Offer::Accepted { dropped: 0 });
        // It is flushed, and the kernel of the peer acknowledges it, sooner or later.
        while taken() == before {
            poll_once(std::pin::pin!(poll_fn(|context| link.poll_service(context, true)))).await;
            tokio::task::yield_now().await;
        }
        tokio::time::advance(PATIENCE / 2).await;
    }
    poll_once(stalled.as_mut()).await;
    // Nothing else happens, so that the clock goes on by itself.
    stalled.await;
}

/// A link whose peer stands still, with as much in its outbox as there is room for.
fn full() -> (Link, StdStream) {
    let (link, peer) = pair();
    // The readiness of a new socket is not known yet, so that nothing is sent.
    while link.offer(&bytes::Bytes::from(vec![0; 100]), false) != Offer::Full {}
    (link, peer)
}

/// Whoever asks after the end learns what was there at the end.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_was_not_acknowledged_is_known_after_the_burial() {
    let (link, _peer) = pair();
    let much = vec![0; 64 << 20];
    tokio::select! {
        written = link.write_all(&much) => panic!("nobody reads: {written:?}"),
        () = async {
            while link.unacknowledged() == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    let held = link.unacknowledged();
    assert!(held > 0);
    link.bury();
    assert!((1..=held).contains(&link.unacknowledged()));
    link.bury();
    assert!(link.unacknowledged() > 0, "the second has nothing to ask");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_peer_that_stops_runs_while_nobody_waits_for_it() {
    const PATIENCE: Duration = Duration::from_mins(1);
    let (link, _peer) = full();
    tokio::time::advance(PATIENCE / 2).await;
    let begun = Instant::now();
    link.stalled_queue(PATIENCE).await;
    let waited = begun.elapsed();
    assert!(waited >= PATIENCE / 2 && waited < PATIENCE * 5 / 8, "{waited:?}");
    let begun = Instant::now();
    link.stalled_queue(PATIENCE).await;
    assert_eq!(begun.elapsed(), Duration::ZERO, "who comes later waits no more");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_peer_that_takes_something_begins_anew() {
    const PATIENCE: Duration = Duration::from_mins(1);
    let (link, _peer) = full();
    let taken = || lock(&link.sending).taken_by_peer();
    tokio::time::advance(PATIENCE / 2).await;
    let before = taken();
    while taken() == before {
        poll_once(std::pin::pin!(poll_fn(|context| link.poll_service(context, true)))).await;
        tokio::task::yield_now().await;
    }
    tokio::time::advance(PATIENCE).await;
    let mut stalled = std::pin::pin!(link.stalled_queue(PATIENCE));
    poll_once(stalled.as_mut()).await;
    // What begins to wait for a peer that had nothing to take waits from now on.
    lock(&link.sending).begin_standstill();
    let begun = Instant::now();
    stalled.await;
    assert!(begun.elapsed() >= PATIENCE);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_message_that_goes_straight_out_touches_few_cache_lines() {
    const LINE: usize = 64;
    // Its lock, and eight bytes for it, come first.
    assert_eq!(std::mem::offset_of!(Link, sending) % LINE, 0);
    assert!(std::mem::offset_of!(Sending, turn) <= LINE - 8);
    assert!(std::mem::offset_of!(Sending, line) <= 3 * LINE - 8);
    assert!(std::mem::offset_of!(Link, observer) < 2 * LINE);
}
