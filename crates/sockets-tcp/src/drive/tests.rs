//! How connections end while their handlers wait, and in a grace, at virtual time.

use std::future::pending;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream as StdStream};
use std::sync::Arc;

use bytes::Bytes;
use ports_core::{FiveTuple, Transport};
use socket2::SockRef;
use stats::{Role, SocketStats};

use super::*;
use crate::client::ClientEvent;
use crate::events::Publisher;
use crate::link::Offer;
use crate::observer::Observer;
use crate::outbox::QueueLimits;
use crate::tcp::Tcp;

const LINGER: Duration = Duration::from_mins(1);
const PATIENCE: Patience = Patience {
    idle: None,
    first_byte: None,
    gives_up: true,
    linger: LINGER,
    acknowledged: false,
    resets_unfinished: false,
};

/// A link and its peer.
fn pair() -> (Arc<Link>, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, remote) = listener.accept().unwrap();
    let tuple = FiveTuple::new(Transport::Tcp, stream.local_addr().unwrap(), remote);
    let mut recorder = SocketStats::new().open(Transport::Tcp, Role::Server, tuple);
    let link = Link::new(
        Tcp::register(stream).unwrap(),
        tuple,
        Observer::Client(Publisher::new(16, false, |missed| ClientEvent::Lagged { missed })),
        QueueLimits { bytes: 64 << 20, messages: 16 },
        recorder.split(),
        false,
    );
    (Arc::new(link), peer)
}

fn reset(peer: StdStream) {
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}

async fn serve_with(
    link: &Link,
    patience: Patience,
    handler: impl Future<Output = Result<(), HandlerError>>,
) -> Ended {
    drive(link, pin!(Some(handler)), &patience, || ()).await
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_something_else_is_dropped_after_its_connection_failed() {
    let (link, peer) = pair();
    let ending = tokio::spawn({
        let link = Arc::clone(&link);
        async move { serve_with(&link, PATIENCE, pending()).await }
    });
    tokio::task::yield_now().await;
    reset(peer);
    let begun = Instant::now();
    // Loopback: the reset has arrived before `drop` returns. Somebody else's message is told.
    while link.offer(&Bytes::from_static(b"x"), false) != Offer::Gone {
        tokio::task::yield_now().await;
    }
    let ended = ending.await.unwrap();
    assert_eq!((ended.reason, ended.aborted), (CloseReason::Reset, false));
    let waited = begun.elapsed();
    assert!(waited >= LINGER && waited < LINGER * 2, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_is_told_at_once() {
    let (link, peer) = pair();
    let ending = tokio::spawn({
        let link = Arc::clone(&link);
        async move {
            let handler = async {
                link.closed().await;
                Ok(())
            };
            serve_with(&link, PATIENCE, handler).await
        }
    });
    tokio::task::yield_now().await;
    reset(peer);
    let begun = Instant::now();
    while link.offer(&Bytes::from_static(b"x"), false) != Offer::Gone {
        tokio::task::yield_now().await;
    }
    assert_eq!(ending.await.unwrap().reason, CloseReason::Reset);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_grace_is_kept_though_nobody_looks_on() {
    let (link, _stalled) = pair();
    // More than the kernel takes.
    assert!(matches!(link.offer(&vec![0; 32 << 20].into(), false), Offer::Accepted { .. }));
    let begun = Instant::now();
    link.leave_to_grace(Some(begun + LINGER * 5));
    link.close(Closing::Finish(CloseReason::Local));
    let ended = serve_with(&link, PATIENCE, pending()).await;
    assert_eq!((ended.reason, ended.aborted), (CloseReason::Local, true));
    assert!(ended.unsent() > 0);
    assert_eq!(begun.elapsed().as_secs(), LINGER.as_secs() * 5);
}

#[tokio::test(start_paused = true)]
async fn without_a_linger_a_grace_is_waited_for_and_not_spun_through() {
    let (link, _stalled) = pair();
    assert!(matches!(link.offer(&vec![0; 32 << 20].into(), false), Offer::Accepted { .. }));
    link.leave_to_grace(Some(Instant::now() + LINGER));
    link.close(Closing::Finish(CloseReason::Local));
    let patience = Patience { linger: Duration::ZERO, ..PATIENCE };
    let mut ending = pin!(serve_with(&link, patience, pending()));
    let mut polls = 0;
    let ended = poll_fn(|context| {
        polls += 1;
        ending.as_mut().poll(context)
    })
    .await;
    assert!(ended.aborted);
    assert!(polls < 100, "{polls} in a minute");
}

#[tokio::test]
async fn a_linger_beyond_the_clock_is_for_ever() {
    const LEN: usize = 256 * 1024;
    let (link, mut peer) = pair();
    // The kernel takes all at once, and the peer does not acknowledge all before it reads.
    SockRef::from(&peer).set_recv_buffer_size(4096).unwrap();
    link.with_tcp(|tcp| SockRef::from(tcp).set_send_buffer_size(4 * LEN)).unwrap();
    let patience = Patience { linger: Duration::MAX, acknowledged: true, ..PATIENCE };
    let data = vec![7; LEN];
    let handler = link.write_all(&data);
    let mut ending = pin!(serve_with(&link, patience, async { Ok(handler.await?) }));
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    // Until it lingers for what is not acknowledged.
    while link.is_finished().is_none() || !link.peer_ended() {
        poll_fn(|context| {
            assert!(ending.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
    }
    assert!(link.unacknowledged() > 0);
    let reading = tokio::task::spawn_blocking(move || {
        let mut data = vec![0; LEN];
        peer.read_exact(&mut data).map(|()| data.len())
    });
    let ended = ending.await;
    assert_eq!((ended.reason, ended.unacknowledged), (CloseReason::Local, 0));
    assert_eq!(reading.await.unwrap().unwrap(), LEN);
}
