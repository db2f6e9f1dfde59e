//! The account of a flood: sent = received + dropped by the kernel, to the datagram.

use std::time::Duration;

use sockets_udp::{Event, RecvBatch, UdpSocket};
use stats::SocketStats;

use crate::{V4, V6, arrived, on, open};

/// Fewer than the kernel's queue in front of all sockets holds (`net.core.netdev_max_backlog`,
/// 1,000), so that nothing is lost before it gets to this one.
const FLOOD: u64 = 500;
/// Before the test is given up; nothing is measured by it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Receives until every datagram is accounted for, and returns how many came.
async fn receive_all(there: &UdpSocket, sent: u64) -> u64 {
    let mut batch = RecvBatch::new(16, 2048);
    let mut received = 0;
    // Loopback may deliver a moment later: then there is more to come.
    while received + there.kernel_drops() < sent {
        tokio::select! {
            biased;
            came = there.recv_many(&mut batch) => received += came.unwrap() as u64,
            () = tokio::task::yield_now() => {}
        }
    }
    received
}

#[tokio::test]
async fn every_datagram_is_received_or_counted_as_dropped() {
    for address in [V4, V6] {
        let stats = SocketStats::new();
        // The kernel raises it to its minimum, room for a few datagrams.
        let there = on(address).receive_buffer(1).stats(stats.clone()).open().unwrap();
        let mut events = there.events();
        let here = open(address);
        let peers = vec![there.local_addr(); FLOOD as usize];
        assert_eq!(here.send_to_each(&peers, &[7; 1200]).await.sent as u64, FLOOD);
        let received = tokio::time::timeout(PATIENCE, receive_all(&there, FLOOD)).await.unwrap();
        let dropped = there.kernel_drops();
        assert_eq!(received + dropped, FLOOD);
        assert!(received > 0 && dropped > 0, "{received} received, {dropped} dropped");
        there.close();
        assert_eq!(there.kernel_drops(), dropped, "what it was at closing");

        let counted = stats.snapshot().totals();
        assert_eq!((counted.messages_received, counted.dropped_received), (received, dropped));
        let (mut told, mut came) = (0, 0);
        while let Some(event) = events.recv().await {
            match event {
                Event::Dropped { datagrams } => told += u64::from(datagrams),
                Event::Received { .. } => came += 1,
                _ => {}
            }
        }
        assert_eq!((told, came), (dropped, received));
    }
}

/// The counter that comes with a datagram is older than the one that was asked for meanwhile.
#[tokio::test]
async fn a_drop_is_counted_once_whoever_tells_it() {
    let there = on(V4).receive_buffer(1).open().unwrap();
    let here = open(V4);
    let flood = async {
        while there.kernel_drops() == 0 {
            arrived::send_to(&here, &[7; 1200], there.local_addr()).await;
        }
    };
    tokio::time::timeout(PATIENCE, flood).await.unwrap();
    let dropped = there.kernel_drops();
    while there.try_recv().unwrap().is_some() {}
    assert_eq!(there.kernel_drops(), dropped);
    here.send_to(b"after", there.local_addr()).await.unwrap();
    assert_eq!(there.recv().await.unwrap().data, "after");
    assert_eq!(there.kernel_drops(), dropped);
}
