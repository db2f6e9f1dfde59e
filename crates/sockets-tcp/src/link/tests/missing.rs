//! Messages that were in somebody's hand when the connection, or they, were given up.

use bytes::Bytes;

use super::*;
use crate::link::sending::End;

/// What the events say was dropped, in messages and bytes.
fn told(events: &mut crate::events::Events<ClientEvent>) -> (usize, usize) {
    let mut all = (0, 0);
    while let Ok(received) = events.try_recv() {
        if let ClientEvent::Dropped { messages, bytes } = received {
            all = (all.0 + messages, all.1 + bytes);
        }
    }
    all
}

/// Every byte is sent or counted, however soon the write failed.
#[tokio::test]
async fn a_write_that_fails_at_once_counts_as_lost() {
    let publisher = Publisher::new(16, false, |missed| ClientEvent::Lagged { missed });
    let mut events = publisher.subscribe();
    let (link, peer) = pair_told_to(publisher);
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let mut asked = 0;
    loop {
        asked += 1000;
        if link.write_all(&[0; 1000]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let traffic = link.traffic();
    assert_eq!(traffic.bytes_out + traffic.lost.bytes as u64, asked);
    assert_eq!(told(&mut events), (traffic.lost.messages, traffic.lost.bytes));
    link.write_all(&[0; 7]).await.unwrap_err();
    assert_eq!(link.traffic().lost.bytes, traffic.lost.bytes + 7, "one that comes later, too");
    link.bury();
    link.write_all(&[0; 7]).await.unwrap_err();
    assert_eq!(link.traffic().lost.bytes, traffic.lost.bytes + 7, "it is over");
}

#[tokio::test]
async fn a_write_behind_the_end_of_the_stream_breaks_nothing() {
    let (link, _peer) = pair();
    link.begin_finish();
    link.write_all(b"late").await.unwrap_err();
    let traffic = link.traffic();
    assert_eq!((traffic.lost.bytes, traffic.dropped.bytes), (0, 0));
    assert!(!lock(&link.sending).is_broken());
}

/// Whoever can send it again counts nothing; of who cannot, it is dropped.
#[tokio::test]
async fn a_wait_that_is_given_up_counts_only_where_nobody_sends_again() {
    let (link, _peer) = full();
    let message = Bytes::from(vec![0; 100]);
    let mut again = Box::pin(link.send(&message));
    let mut never = Box::pin(link.send(&message).or_missed());
    poll_once(again.as_mut()).await;
    poll_once(never.as_mut()).await;
    drop(again);
    assert!(link.traffic().dropped.is_none());
    drop(never);
    assert_eq!(link.traffic().dropped, Loss::message(100));
    drop(link.send(&message).or_missed());
    assert_eq!(link.traffic().dropped.bytes, 200, "not even begun");
    assert_eq!(link.traffic().queued.messages, 10, "nothing follows it into the outbox");
}

#[tokio::test]
async fn what_waits_when_the_server_ends_is_missing_from_the_stream() {
    let (link, _peer) = full();
    let message = Bytes::from(vec![0; 100]);
    let mut waiting = Box::pin(link.send(&message).or_missed());
    poll_once(waiting.as_mut()).await;
    link.halt();
    link.close(Closing::Abort(CloseReason::Shutdown));
    assert_eq!(link.traffic().lost, Loss::message(100), "of whom waits");
    assert!(!waiting.await);
    assert_eq!(link.offer(&message, false), Offer::Gone);
    assert_eq!(link.traffic().lost.bytes, 200, "of whom comes then");
    link.bury();
    let with_queue = link.traffic().lost.bytes;
    assert_eq!(link.offer(&message, false), Offer::Gone);
    assert_eq!(link.traffic().lost.bytes, with_queue + 100, "of whom comes even later");
}

/// It was closed, or gone, before the server ended.
#[tokio::test]
async fn nothing_is_missing_from_a_stream_that_ended_before() {
    let message = Bytes::from_static(b"news");
    for end in 0..3 {
        let (link, _peer) = full();
        match end {
            0 => link.begin_finish(),
            1 => link.close(Closing::Abort(CloseReason::SlowPeer)),
            _ => link.fail_with(std::io::ErrorKind::ConnectionReset),
        }
        let before = link.traffic().lost;
        link.halt();
        link.close(Closing::Abort(CloseReason::Shutdown));
        assert_eq!(link.offer(&message, false), Offer::Gone);
        assert_eq!(link.traffic().lost, before, "{end}");
        assert_eq!(lock(&link.sending).end == End::Due, end == 0);
    }
}

#[tokio::test]
async fn a_halted_link_reads_nothing_until_it_is_buried() {
    let (link, mut peer) = pair();
    peer.write_all(&[1; 10]).unwrap();
    arrived(&link, 10).await;
    link.halt();
    let mut buffer = [0; 10];
    let mut reading = std::pin::pin!(poll_fn(|context| link.poll_read(context, &mut buffer)));
    poll_once(reading.as_mut()).await;
    link.bury();
    assert_eq!(reading.await.unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
    assert_eq!((link.traffic().bytes_in, link.discarded()), (0, 10));
}
