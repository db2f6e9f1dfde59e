//! The least and the greatest that can be asked for.

use std::num::NonZeroU16;
use std::time::Duration;

use sockets_udp::{Discard, Echo, Outgoing, RecvBatch, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::{V4, V6, on, open};

#[tokio::test]
async fn sizes_and_capacities_of_any_number() {
    for size in [0, 1, usize::MAX / 2, usize::MAX] {
        for address in [V4, V6] {
            let builder = on(address).receive_buffer(size).send_buffer(size).event_capacity(size);
            let socket = builder.datagram_events(true).multicast_ttl(0).open().unwrap();
            let mut events = socket.events();
            socket.send_to(b"x", socket.local_addr()).await.unwrap();
            assert_eq!(socket.recv().await.unwrap().data, "x", "{size}");
            drop(socket);
            // All, or, where there is room for one, the last.
            let mut told = 0;
            while events.recv().await.is_some() {
                told += 1;
            }
            assert!(told > 1, "{size}: {told}");
        }
    }
}

#[tokio::test]
async fn nothing_to_send_is_sent() {
    let socket = open(V4);
    assert_eq!(socket.send_many(&[]).await.sent, 0);
    assert_eq!(socket.send_to_each(&[], b"x").await.sent, 0);
    assert!(socket.send_bulk(socket.local_addr(), b"", 1).await.is_complete());
    assert!(socket.send_bulk(socket.local_addr(), b"x", usize::MAX).await.is_complete());
    assert_eq!(socket.recv().await.unwrap().data, "x");
    socket.send_to(b"", socket.local_addr()).await.unwrap();
    assert_eq!(socket.recv_into(&mut []).await.unwrap().length, 0);
    assert!(socket.try_recv().unwrap().is_none());
}

#[tokio::test]
async fn port_0_is_nobodys() {
    let socket = open(V4);
    let nobody = (V4, 0).into();
    assert!(socket.send_to(b"x", nobody).await.is_err());
    let report = socket.send_many(&[Outgoing::new(b"x", nobody)]).await;
    assert_eq!((report.sent, report.failed.len()), (0, 1));
    let bulk = socket.send_bulk(nobody, &[0; 100], 10).await;
    assert_eq!((bulk.datagrams, bulk.is_complete()), (0, false));
    assert!(socket.broadcast(b"x", 0).await.is_err());
}

#[tokio::test]
async fn batches_of_no_buffers_and_of_no_room() {
    let socket = open(V4);
    for (buffers, size) in [(0, 0), (1, 0), (usize::MAX, 0), (usize::MAX, 1), (0, RecvBatch::WHOLE)]
    {
        let mut batch = RecvBatch::new(buffers, size);
        assert_eq!(batch.iter().count(), 0);
        socket.send_to(b"two", socket.local_addr()).await.unwrap();
        assert_eq!(socket.recv_many(&mut batch).await.unwrap(), 1, "{buffers} of {size}");
        let first = batch.iter().next().unwrap();
        assert_eq!((first.data.len(), first.length), (size.min(3), 3));
    }
}

#[tokio::test]
async fn a_service_with_any_grace() {
    let client = open(V4);
    for grace in [Duration::ZERO, Duration::MAX] {
        let (socket, stop) = (open(V4), CancellationToken::new());
        client.send_to(b"x", socket.local_addr()).await.unwrap();
        stop.cancel();
        let report = socket.serve_until_within(Echo::new(), &stop, grace).await.unwrap();
        assert_eq!((report.received, report.answered, report.cut_off), (1, 1, 0), "{grace:?}");
        assert_eq!(client.recv().await.unwrap().data, "x");
        socket.close();
        let report = socket.serve_until_within(Discard, &stop, grace).await.unwrap();
        assert_eq!(report.received, 0);
    }
}

#[tokio::test]
async fn segments_of_every_length_go_whole() {
    let (here, there) = (open(V4), on(V4).gro(true).open().unwrap());
    let data: Vec<u8> = (0..200).collect();
    for size in [1, 7, 199, 200, 201, usize::from(NonZeroU16::MAX.get()), usize::MAX] {
        let report = here.send_bulk(there.local_addr(), &data, size).await;
        assert!(report.is_complete(), "{size}: {report:?}");
        let mut received = Vec::new();
        for _ in 0..report.datagrams {
            received.extend_from_slice(&there.recv().await.unwrap().data);
        }
        assert_eq!(received, data, "{size}");
    }
}

/// What outlives its runtime says so, and blocks nobody.
#[test]
fn a_socket_whose_runtime_is_gone_is_an_error() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let socket: UdpSocket = first.block_on(async { open(V4) });
    let clone = socket.clone();
    let waits = runtime();
    // Another runtime may wait for it, and is told.
    let waiting = std::thread::spawn(move || waits.block_on(clone.recv()));
    drop(first);
    assert!(waiting.join().unwrap().is_err());
    let second = runtime();
    assert!(second.block_on(socket.recv()).is_err());
    assert!(!socket.is_closed());
    assert!(socket.close());
}
