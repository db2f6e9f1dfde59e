//! Rings on the loopback of a namespace of their own, where nothing else passes.

use std::net::UdpSocket;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags};

use super::*;
use crate::{LinkAddress, PacketLevel, PacketStatistics, PacketType, Source};

/// IPv4 without options and UDP.
const HEADERS: usize = 28;

/// A ring that sees what arrives at loopback, and a socket there that sends to itself.
fn ring(bytes: usize) -> (PacketRing, UdpSocket) {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let socket = PacketFd::open(PacketLevel::Network).unwrap();
    socket.set_ignore_outgoing(true).unwrap();
    let ring = PacketRing::new(socket, bytes, Duration::from_millis(1)).unwrap();
    ring.socket().bind(0, LinkAddress::IPV4).unwrap();
    (ring, UdpSocket::bind("127.0.0.1:0").unwrap())
}

fn send(socket: &UdpSocket, payload: &[u8]) {
    socket.send_to(payload, socket.local_addr().unwrap()).unwrap();
}

fn wait(ring: &PacketRing) {
    while ring.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
        let mut fds = [PollFd::new(ring, PollFlags::IN)];
        rustix::event::poll(&mut fds, None).unwrap();
    }
}

/// Waits for a block and takes it: the payloads in it.
fn take(ring: &mut PacketRing) -> Vec<Vec<u8>> {
    wait(ring);
    let block = ring.next_block().unwrap();
    let packets: Vec<_> = block.iter().map(|packet| packet.bytes[HEADERS..].to_vec()).collect();
    assert_eq!(packets.len(), block.len());
    packets
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn packets_arrive_whole_with_source_and_time() {
    let (mut ring, socket) = ring(0);
    assert_eq!(ring.size(), 2 * PacketRing::BLOCK_SIZE);
    assert!(ring.next_block().is_none());
    let large = vec![7; 60_000];
    send(&socket, &large);
    wait(&ring);
    let block = ring.next_block().unwrap();
    let packet = block.iter().next().unwrap();
    assert_eq!((packet.bytes.len(), packet.length), (HEADERS + large.len(), HEADERS + large.len()));
    assert_eq!(packet.bytes[HEADERS..], large);
    let Source::Link(source) = packet.source else { panic!("{:?}", packet.source) };
    assert_eq!((source.packet_type, source.hardware_type), (PacketType::Host, 772));
    assert_eq!(source.address.protocol, LinkAddress::IPV4);
    assert!(packet.timestamp.is_some());
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn the_ring_goes_round() {
    let (mut ring, socket) = ring(3 * PacketRing::BLOCK_SIZE);
    // Several times around its three blocks, one packet in each.
    for number in 0..10_u32 {
        send(&socket, &number.to_ne_bytes());
        assert_eq!(take(&mut ring), [number.to_ne_bytes()]);
    }
    let statistics = ring.socket().statistics().unwrap();
    assert_eq!(statistics, PacketStatistics { received: 10, dropped: 0 });
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn a_full_ring_drops_and_counts() {
    const SENT: u64 = 40;
    let (mut ring, socket) = ring(0);
    for _ in 0..SENT {
        send(&socket, &vec![0; 30_000]);
    }
    let statistics = loop {
        let statistics = ring.socket().statistics().unwrap();
        if statistics.received + statistics.dropped == SENT {
            break statistics;
        }
        std::thread::yield_now();
    };
    assert!(statistics.received > 0 && statistics.dropped > 0, "{statistics:?}");
    let mut taken = 0;
    while taken < statistics.received {
        taken += take(&mut ring).len() as u64;
    }
    assert_eq!(taken, statistics.received);
    // There is room again.
    send(&socket, b"more");
    assert_eq!(take(&mut ring), [b"more"]);
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn a_ring_goes_to_another_thread_and_too_much_memory_is_refused() {
    let (mut ring, socket) = ring(0);
    send(&socket, b"far");
    let taken = std::thread::spawn(move || take(&mut ring)).join().unwrap();
    assert_eq!(taken, [b"far"]);
    let socket = PacketFd::open(PacketLevel::Network).unwrap();
    let error = PacketRing::new(socket, usize::MAX, Duration::ZERO).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
}
