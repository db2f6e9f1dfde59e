//! Batches allocate nothing for a datagram, once they have been used.
#![cfg(test)]
#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, SocketAddr};

use allocation_counter::measure;
use sockets_udp::{RecvBatch, UdpSocket};
use stats::SocketStats;

const DATAGRAMS: usize = 40;

fn open(stats: &SocketStats, gro: bool) -> UdpSocket {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    UdpSocket::builder().bind(address).gro(gro).stats(stats.clone()).open().unwrap()
}

async fn receive(socket: &UdpSocket, batch: &mut RecvBatch) -> usize {
    let (mut received, mut bytes) = (0, 0);
    while received < DATAGRAMS {
        received += socket.recv_many(batch).await.unwrap();
        bytes += batch.iter().map(|datagram| datagram.data.len()).sum::<usize>();
    }
    bytes
}

#[test]
fn batches_allocate_nothing_for_a_datagram() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stats = SocketStats::new();
    for gro in [false, true] {
        let context = runtime.enter();
        let (here, there) = (open(&stats, false), open(&stats, gro));
        drop(context);
        let (target, payload) = (there.local_addr(), [7; DATAGRAMS * 100]);
        let targets = [target; DATAGRAMS];
        let mut batch = RecvBatch::new(16, RecvBatch::WHOLE);
        let mut exchange = || {
            runtime.block_on(async {
                let report = here.send_to_each(&targets, &payload[..100]).await;
                assert_eq!(report.sent, DATAGRAMS);
                assert_eq!(receive(&there, &mut batch).await, payload.len());
                let report = here.send_bulk(target, &payload, 100).await;
                assert_eq!(report.datagrams, DATAGRAMS);
                assert_eq!(receive(&there, &mut batch).await, payload.len());
            });
        };
        // The first time what a batched call needs is made.
        exchange();
        let measured = measure(exchange);
        assert_eq!(measured.count_total, 0, "gro {gro}: {measured:?}");
    }
}

/// Neither events that nobody reads, nor a buffer that nothing is received into.
#[test]
fn a_socket_takes_the_memory_of_what_is_used() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _context = runtime.enter();
    let stats = SocketStats::new();
    // The first one makes what all of them share.
    let target = open(&stats, false).local_addr();
    let mut kept = Vec::with_capacity(1);
    let measured = measure(|| {
        let socket = open(&stats, false);
        runtime.block_on(async { socket.send_to(b"x", target).await.unwrap() });
        kept.push(socket);
    });
    assert!(measured.bytes_current < 4 * 1024, "{measured:?}");
}
