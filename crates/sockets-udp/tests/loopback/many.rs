//! Many datagrams in one call, both ways.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sockets_udp::{Event, MAX_PAYLOAD_V4, Outgoing, RecvBatch, RecvError, SendError, UdpSocket};
use stats::SocketStats;

use crate::{V4, V6, assert_waits, keep_for_this_test, on, open};

/// Receives until so many came.
async fn receive(socket: &UdpSocket, batch: &mut RecvBatch, count: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while all.len() < count {
        let came = socket.recv_many(batch).await.unwrap();
        assert_eq!((came, batch.len(), batch.is_empty()), (batch.iter().count(), came, false));
        all.extend(batch.iter().map(|datagram| datagram.data.to_vec()));
    }
    all
}

#[tokio::test]
async fn what_is_sent_in_one_call_is_received_in_few() {
    for address in [V4, V6] {
        let (here, there) = (open(address), open(address));
        let payloads: Vec<Vec<u8>> = (0..100_u8).map(|byte| vec![byte; byte.into()]).collect();
        let target = there.local_addr();
        let datagrams: Vec<_> = payloads.iter().map(|data| Outgoing::new(data, target)).collect();
        let report = here.send_many(&datagrams).await;
        assert!(report.is_complete());
        assert_eq!(report.sent, 100);
        let mut batch = RecvBatch::new(32, 2048);
        assert_eq!(receive(&there, &mut batch, 100).await, payloads);
        let last = batch.iter().last().unwrap();
        assert_eq!((last.source, last.destination), (here.local_addr(), Some(address)));
        assert!(here.send_many(&[]).await.is_complete());
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_named_by_its_place_and_the_rest_is_sent() {
    let stats = SocketStats::new();
    let here = on(V4).stats(stats.clone()).open().unwrap();
    let there = open(V4);
    let target = there.local_addr();
    let too_long = vec![0; MAX_PAYLOAD_V4 + 1];
    let report = here
        .send_many(&[
            Outgoing::new(b"0", (V4, 0).into()),
            Outgoing::new(b"1", target),
            Outgoing::new(b"2", target),
            Outgoing::new(&too_long, target),
            Outgoing::new(b"4", (V6, 9).into()),
            Outgoing::new(b"5", target),
            Outgoing::new(b"6", target).source(V6),
            Outgoing::new(b"7", target).source(IpAddr::from([192, 0, 2, 1])),
            Outgoing::new(b"8", target),
            Outgoing::new(b"9", SocketAddr::from(([255, 255, 255, 255], 9))),
        ])
        .await;
    let failed: Vec<_> = report.failed.iter().map(|failed| failed.index).collect();
    assert_eq!((report.sent, &failed[..]), (4, &[0, 3, 4, 6, 7, 9][..]));
    let errors: Vec<_> = report.failed.into_iter().map(|failed| failed.error).collect();
    assert!(
        matches!(
            &errors[..],
            [
                SendError::PortZero { .. },
                SendError::MessageTooLong { .. },
                SendError::FamilyMismatch { .. },
                SendError::FamilyMismatch { .. },
                SendError::SourceNotAvailable { .. },
                SendError::BroadcastNotEnabled { .. },
            ]
        ),
        "{errors:?}"
    );
    let came = receive(&there, &mut RecvBatch::new(8, 16), 4).await;
    assert_eq!(came, [b"1", b"2", b"5", b"8"]);
    let counted = stats.snapshot().totals();
    assert_eq!((counted.messages_sent, counted.bytes_sent, counted.errors.total()), (4, 4, 6));
}

/// One that the path is too narrow for, among others (IPv6: `lo` takes 65,536 bytes).
#[tokio::test]
async fn what_the_path_does_not_take_does_not_hold_up_the_rest() {
    let there = open(V6);
    let here = on(V6).dont_fragment(true).open().unwrap();
    let wide = vec![1; sockets_udp::MAX_PAYLOAD_V6];
    let report = here
        .send_many(
            &[&b"0"[..], &wide, b"", b"3"].map(|data| Outgoing::new(data, there.local_addr())),
        )
        .await;
    assert_eq!((report.sent, report.failed.len(), report.failed[0].index), (3, 1, 1));
    let error = &report.failed[0].error;
    assert!(
        matches!(error, SendError::ExceedsMtu { limit: Some(_), dont_fragment: true, .. }),
        "{error:?}"
    );
    let came = receive(&there, &mut RecvBatch::new(8, 16), 3).await;
    assert_eq!(came, [&b"0"[..], b"", b"3"]);
}

#[tokio::test]
async fn what_is_there_is_taken_at_once() {
    let (here, there) = (open(V4), open(V4));
    let mut batch = RecvBatch::new(4, 16);
    assert_eq!(there.try_recv_many(&mut batch).unwrap(), 0);
    assert!(here.send_to_each(&[there.local_addr(); 6], b"x").await.is_complete());
    let mut came = there.recv_many(&mut batch).await.unwrap();
    assert!(came > 0);
    while came < 6 {
        let more = there.try_recv_many(&mut batch).unwrap();
        assert_eq!((more, batch.iter().count()), (batch.len(), batch.len()));
        came += more;
        tokio::task::yield_now().await;
    }
    assert_eq!((came, there.try_recv_many(&mut batch).unwrap(), batch.len()), (6, 0, 0));
    // Whoever waits after that is woken by what comes.
    let mut waiting = pin!(there.recv());
    assert_waits(waiting.as_mut()).await;
    here.send_to(b"after", there.local_addr()).await.unwrap();
    assert_eq!(waiting.await.unwrap().data, "after");
    there.close();
    assert!(matches!(there.try_recv_many(&mut batch), Err(RecvError::Closed { .. })));
}

#[tokio::test]
async fn one_payload_reaches_each_of_many_peers() {
    let stats = SocketStats::new();
    let here = on(V4).stats(stats.clone()).open().unwrap();
    let mut events = here.events();
    let peers: Vec<_> = (0..100).map(|_| open(V4)).collect();
    let targets: Vec<_> = peers.iter().map(UdpSocket::local_addr).collect();
    let report = here.send_to_each(&targets, b"news").await;
    assert_eq!((report.sent, report.failed.len()), (100, 0));
    for peer in &peers {
        assert_eq!(peer.recv().await.unwrap().data, "news");
    }
    assert_eq!(stats.snapshot().totals().bytes_sent, 400);
    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
    for target in targets {
        assert_eq!(events.recv().await, Some(Event::Sent { len: 4, target }));
    }
}

#[tokio::test]
async fn a_buffer_too_small_cuts_one_datagram_and_says_so() {
    let (here, there) = (open(V4), open(V4));
    let mut events = there.events();
    for data in [&b"0123456789"[..], b"abc", b""] {
        here.send_to(data, there.local_addr()).await.unwrap();
    }
    let mut batch = RecvBatch::new(4, 4);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        there.recv_many(&mut batch).await.unwrap();
        let cut = batch
            .iter()
            .map(|datagram| (datagram.data.to_vec(), datagram.length, datagram.is_truncated()));
        seen.extend(cut);
    }
    let expected = [(b"0123".to_vec(), 10, true), (b"abc".to_vec(), 3, false), (vec![], 0, false)];
    assert_eq!(seen, expected);
    let source = here.local_addr();
    for event in [
        Event::Bound { local: there.local_addr() },
        Event::Received { len: 10, source },
        Event::Truncated { lost: 6, source },
        Event::Received { len: 3, source },
        Event::Received { len: 0, source },
    ] {
        assert_eq!(events.recv().await, Some(event));
    }
}

#[tokio::test]
async fn a_batch_of_the_longest_datagrams() {
    for (address, limit) in [(V4, MAX_PAYLOAD_V4), (V6, sockets_udp::MAX_PAYLOAD_V6)] {
        let (here, there) = (open(address), open(address));
        let data: Vec<u8> = (0..limit).map(|index| index as u8).collect();
        let mut batch = RecvBatch::new(2, RecvBatch::WHOLE);
        let datagrams = [&data[..], b"", &data].map(|data| Outgoing::new(data, there.local_addr()));
        for datagram in &datagrams {
            // One at a time: the default buffer need not hold two.
            assert!(here.send_many(std::slice::from_ref(datagram)).await.is_complete());
            assert_eq!(there.recv_many(&mut batch).await.unwrap(), 1);
            assert_eq!(
                Outgoing::new(batch.iter().next().unwrap().data, there.local_addr()),
                *datagram
            );
        }
    }
}

#[tokio::test]
async fn closing_ends_a_receive_of_many_and_fails_what_was_to_be_sent() {
    let socket = open(V4);
    let mut batch = RecvBatch::new(4, 16);
    {
        let mut receiving = pin!(socket.recv_many(&mut batch));
        assert_waits(receiving.as_mut()).await;
        socket.close();
        assert!(matches!(receiving.await, Err(RecvError::Closed { .. })));
    }
    let report = socket.send_to_each(&[socket.local_addr(); 3], b"x").await;
    assert_eq!((report.sent, report.failed.len()), (0, 3));
    assert!(report.failed.iter().all(|failed| matches!(failed.error, SendError::Closed { .. })));
    let report = socket.send_bulk(socket.local_addr(), b"xyz", 1).await;
    assert!(matches!(report.failed, Some(SendError::Closed { .. })), "{report:?}");
}

/// A task whose batches are always ready lets the others run by the datagrams it moves, not by the
/// calls it makes.
#[tokio::test]
async fn batches_that_never_wait_do_not_starve_other_tasks() {
    const ROUNDS: u32 = 256;
    const EACH: usize = 64;
    let turns = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let socket = open(V4);
    let peers = [socket.local_addr(); EACH];
    let mut batch = RecvBatch::new(EACH, 16);
    for _ in 0..ROUNDS {
        assert!(socket.send_to_each(&peers, b"x").await.is_complete());
        let mut received = 0;
        while received < EACH {
            received += socket.recv_many(&mut batch).await.unwrap();
        }
    }
    other.abort();
    // Each datagram is moved twice; 2,048 moves are a turn.
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns >= ROUNDS * EACH as u32 * 2 / 2048, "{turns} turns");
}

/// The errors of earlier datagrams stop no batch: everything is sent, and they are told.
#[tokio::test]
async fn a_peer_that_was_gone_stops_no_batch() {
    let stats = SocketStats::new();
    let peer = std::net::UdpSocket::bind(SocketAddr::from(([127, 71, 5, 1], 0))).unwrap();
    let target = peer.local_addr().unwrap();
    let _kept = keep_for_this_test(target);
    // Linux tells a socket of ICMP errors only if it is connected (udp(7)).
    let connected = std::net::UdpSocket::bind(SocketAddr::from(([127, 71, 5, 2], 0))).unwrap();
    connected.connect(target).unwrap();
    drop(peer);
    let socket = UdpSocket::builder().socket(connected).stats(stats.clone()).open().unwrap();
    let unreachable = || stats.snapshot().totals().errors.count(stats::ErrorKind::Unreachable);
    let mut sent = 0;
    while unreachable() < 2 {
        let report = socket.send_to_each(&[target; 3], b"to nobody").await;
        assert!(report.is_complete(), "{report:?}");
        let bulk = socket.send_bulk(target, &[1; 30], 10).await;
        assert_eq!(bulk.datagrams, 3);
        sent += report.sent + bulk.datagrams;
        tokio::task::yield_now().await;
    }
    assert_eq!(stats.snapshot().totals().messages_sent, sent as u64);
}
