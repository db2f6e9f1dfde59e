//! Bulk to one peer, cut by the kernel or not, joined by the kernel or not.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use sockets_udp::{
    BulkReport, Event, MAX_PAYLOAD_V4, RecvBatch, SegmentationOffload, SendError, UdpSocket,
};
use stats::SocketStats;

use crate::{V4, V6, assert_waits, on, open};

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index ^ (index >> 8)) as u8).collect()
}

/// What the default receive buffer holds for certain: so many bytes, in no more datagrams than that.
/// For one of up to 256 bytes the kernel counts about a thousand of the 212,992 that there are.
const FITS: usize = 50_000;
const MOST_DATAGRAMS: usize = 150;

async fn exchange(here: &UdpSocket, there: &UdpSocket, data: &[u8], size: usize) -> BulkReport {
    let report = here.send_bulk(there.local_addr(), data, size).await;
    let mut batch = RecvBatch::new(4, RecvBatch::WHOLE);
    let mut chunks = data.chunks(size);
    let mut left = chunks.len();
    assert_eq!((report.datagrams, report.bytes), (left, data.len()));
    assert!(report.is_complete());
    while left > 0 {
        left -= there.recv_many(&mut batch).await.unwrap();
        for datagram in &batch {
            assert_eq!(datagram.data, chunks.next().unwrap());
            assert_eq!((datagram.source, datagram.is_truncated()), (here.local_addr(), false));
        }
    }
    report
}

#[tokio::test]
async fn the_datagrams_are_the_chunks_however_they_go() {
    for address in [V4, V6] {
        for gro in [false, true] {
            let stats = SocketStats::new();
            let here = on(address).stats(stats.clone()).open().unwrap();
            let there = on(address).gro(gro).stats(stats.clone()).open().unwrap();
            assert_eq!(there.gro(), gro, "the kernel is older than 5.0");
            let mut datagrams = 0;
            for (count, size) in
                [(10_000, 1200), (12_000, 1200), (1200, 1200), (1, 1200), (130, 1), (FITS, 1500)]
            {
                let report = exchange(&here, &there, &bytes(count), size).await;
                let alone = report.datagrams == 1;
                assert_eq!(report.segmented > 0, !alone, "{count} bytes in {size}");
                datagrams += report.datagrams as u64;
            }
            assert_eq!(here.segmentation_offload(), SegmentationOffload::Available);
            let counted = stats.snapshot().totals();
            assert_eq!((counted.messages_sent, counted.messages_received), (datagrams, datagrams));
            assert_eq!(counted.bytes_sent, counted.bytes_received);
            assert_eq!(there.kernel_drops(), 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_length_in_any_stride(count in 1_usize..FITS, size in 200_usize..FITS, gro: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let count = count.min(size * MOST_DATAGRAMS);
        runtime.block_on(async {
            let here = open(V4);
            let there = on(V4).gro(gro).open().unwrap();
            assert!(exchange(&here, &there, &bytes(count), size).await.is_complete());
        });
    }
}

#[tokio::test]
async fn nothing_is_no_datagram_and_the_longest_goes_by_itself() {
    let (here, there) = (open(V4), on(V4).gro(true).open().unwrap());
    let nothing = here.send_bulk(there.local_addr(), b"", 1200).await;
    assert_eq!((nothing.datagrams, nothing.is_complete()), (0, true));
    let report = exchange(&here, &there, &bytes(MAX_PAYLOAD_V4), MAX_PAYLOAD_V4).await;
    assert_eq!((report.datagrams, report.segmented), (1, 0));
    // An empty datagram is not taken for a part of anything.
    here.send_to(b"", there.local_addr()).await.unwrap();
    assert!(there.recv().await.unwrap().data.is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_with_what_was() {
    let here = open(V4);
    let data = bytes(MAX_PAYLOAD_V4 + 1);
    let report = here.send_bulk(here.local_addr(), &data, data.len()).await;
    assert!(matches!(report.failed, Some(SendError::MessageTooLong { .. })), "{report:?}");
    assert_eq!((report.datagrams, report.bytes, report.is_complete()), (0, 0, false));
    let report = here.send_bulk((V6, 9).into(), &data, 1200).await;
    assert!(matches!(report.failed, Some(SendError::FamilyMismatch { .. })), "{report:?}");
}

#[tokio::test]
async fn what_came_as_one_is_received_one_by_one_in_any_way() {
    let (here, there) = (open(V4), on(V4).gro(true).open().unwrap());
    let mut events = there.events();
    let data = bytes(1000);
    assert!(here.send_bulk(there.local_addr(), &data, 300).await.is_complete());
    assert_eq!(there.recv().await.unwrap().data, data[..300]);
    let mut small = [0; 100];
    let cut = there.recv_into(&mut small).await.unwrap();
    assert_eq!((cut.stored, cut.length, cut.is_truncated()), (100, 300, true));
    assert_eq!(small, data[300..400]);
    // What is left of one piece goes over to a batch; the datagram after it waits.
    here.send_to(b"after", there.local_addr()).await.unwrap();
    let mut batch = RecvBatch::new(8, RecvBatch::WHOLE);
    assert_eq!(there.recv_many(&mut batch).await.unwrap(), 2);
    let left: Vec<_> = batch.iter().map(|datagram| datagram.data.to_vec()).collect();
    assert_eq!(left, [data[600..900].to_vec(), data[900..].to_vec()]);
    assert_eq!(there.recv_many(&mut batch).await.unwrap(), 1);
    assert_eq!(batch.iter().next().unwrap().data, b"after");
    assert!(there.try_recv().unwrap().is_none());

    let source = here.local_addr();
    for event in [
        Event::Bound { local: there.local_addr() },
        Event::Received { len: 300, source },
        Event::Received { len: 300, source },
        Event::Truncated { lost: 200, source },
        Event::Received { len: 300, source },
        Event::Received { len: 100, source },
        Event::Received { len: 5, source },
    ] {
        assert_eq!(events.recv().await, Some(event));
    }
}

/// The kernel wakes the socket once for datagrams that come as one; all who wait get theirs.
#[tokio::test]
async fn of_what_came_as_one_each_waiting_task_gets_its_own() {
    let (here, there) = (open(V4), on(V4).gro(true).open().unwrap());
    let (mut first, mut second) = (pin!(there.recv()), pin!(there.recv()));
    let mut third = pin!(there.recv());
    for task in [first.as_mut(), second.as_mut(), third.as_mut()] {
        assert_waits(task).await;
    }
    assert!(here.send_bulk(there.local_addr(), b"aabbcc", 2).await.is_complete());
    let (first, second, third) = tokio::join!(first, second, third);
    let mut data = [first, second, third].map(|datagram| datagram.unwrap().data);
    data.sort_unstable();
    assert_eq!(data, ["aa", "bb", "cc"]);
}

/// `try_recv` asks the kernel before the runtime has seen anything, and then nobody else hears of it.
#[tokio::test]
async fn who_waits_gets_what_came_along_with_a_datagram_taken_at_once() {
    let (here, there) = (open(V4), on(V4).gro(true).open().unwrap());
    let mut waiting = pin!(there.recv());
    assert_waits(waiting.as_mut()).await;
    let mut taken = None;
    // The piece comes while this task runs; loopback may take a moment.
    assert!(here.send_bulk(there.local_addr(), b"aabb", 2).await.is_complete());
    while taken.is_none() {
        taken = there.try_recv().unwrap();
    }
    assert_eq!(taken.unwrap().data, "aa");
    assert_eq!(waiting.await.unwrap().data, "bb");
}

/// What was set on a socket before it was handed in neither joins nor cuts datagrams.
#[tokio::test]
async fn a_socket_handed_in_forgets_to_cut_and_to_join() {
    use nix::sys::socket::{setsockopt, sockopt};
    let (first, second) = [(); 2].map(|()| std::net::UdpSocket::bind((V4, 0)).unwrap()).into();
    setsockopt(&first, sockopt::UdpGsoSegment, &100).unwrap();
    setsockopt(&second, sockopt::UdpGroSegment, &true).unwrap();
    let here = UdpSocket::builder().socket(first).open().unwrap();
    let there = UdpSocket::builder().socket(second).open().unwrap();
    assert!(!there.gro());
    let data = bytes(350);
    here.send_to(&data, there.local_addr()).await.unwrap();
    assert_eq!(there.recv().await.unwrap().data, data);
    assert!(here.send_bulk(there.local_addr(), &data, 100).await.is_complete());
    let mut buffer = [0; 400];
    for chunk in data.chunks(100) {
        let received = there.recv_into(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..received.length], chunk);
    }
}

#[tokio::test]
async fn a_buffer_too_small_for_what_came_as_one_tells_each_loss() {
    let (here, there) = (open(V4), on(V4).gro(true).open().unwrap());
    assert!(here.send_bulk(there.local_addr(), &bytes(1000), 300).await.is_complete());
    let mut batch = RecvBatch::new(1, 400);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        there.recv_many(&mut batch).await.unwrap();
        seen.extend(batch.iter().map(|datagram| (datagram.data.len(), datagram.length)));
    }
    assert_eq!(seen, [(300, 300), (100, 300), (0, 300), (0, 100)]);
}

/// A socket without checksums is one that the kernel cuts nothing for (udp(7), `SO_NO_CHECK`).
#[tokio::test]
#[ignore = "needs python3"]
async fn a_kernel_that_refuses_to_cut_is_asked_once() {
    let bound = std::net::UdpSocket::bind((V4, 0)).unwrap();
    let same: OwnedFd = bound.try_clone().unwrap().into();
    let script = "import socket; socket.socket(fileno=0).setsockopt(socket.SOL_SOCKET, 11, 1)";
    let status = Command::new("python3").args(["-c", script]).stdin(Stdio::from(same)).status();
    assert!(status.expect("this test needs python3").success());

    let here = UdpSocket::builder().socket(bound).open().unwrap();
    let there = open(V4);
    let mut events = here.events();
    assert_eq!(here.segmentation_offload(), SegmentationOffload::Available);
    for _ in 0..2 {
        let report = exchange(&here, &there, &bytes(10_000), 1200).await;
        assert_eq!((report.datagrams, report.segmented), (9, 0));
        assert_eq!(here.segmentation_offload(), SegmentationOffload::Refused);
    }
    let (mut refused, mut sent) = (0, 0);
    while sent < 18 {
        match events.recv().await.unwrap() {
            Event::SegmentationRefused { .. } => refused += 1,
            Event::Sent { .. } => sent += 1,
            Event::Bound { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 1);
}
