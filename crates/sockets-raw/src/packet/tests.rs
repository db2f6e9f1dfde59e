//! Packet sockets on loopback, which other tests use at the same time: a filter keeps each to its
//! own packets.

use std::io::ErrorKind;
use std::net::UdpSocket;

use sockets_sys::{LinkAddress, PacketLevel};

use super::*;
use crate::{PacketType, Source};

const PATIENCE: Duration = Duration::from_mins(1);
const LOOPBACK_HARDWARE: u16 = 772;
/// IPv4 without options and UDP.
const HEADERS: usize = 28;

fn loopback() -> u32 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    rustix::net::netdevice::name_to_index(&socket, "lo").unwrap()
}

const fn step(code: u16, jump_false: u8, operand: u32) -> FilterInstruction {
    FilterInstruction { code, jump_true: 0, jump_false, operand }
}

/// UDP over IPv4 without options, to this port.
fn to_port(port: u16) -> Vec<FilterInstruction> {
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_HALF: u16 = 0x28;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    vec![
        step(LOAD_BYTE, 0, 0),
        step(JUMP_IF_EQUAL, 5, 0x45),
        step(LOAD_BYTE, 0, 9),
        step(JUMP_IF_EQUAL, 3, 17),
        step(LOAD_HALF, 0, 22),
        step(JUMP_IF_EQUAL, 1, u32::from(port)),
        step(RETURN, 0, u32::MAX),
        step(RETURN, 0, 0),
    ]
}

/// A listener on loopback, and the configuration that sees what is sent to it.
fn listener() -> (UdpSocket, PacketConfig) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let program = to_port(socket.local_addr().unwrap().port());
    (socket, PacketConfig::new().interface(loopback()).filter(program))
}

/// Receives until `count` packets came: their payloads, packet types and link sources.
fn receive(socket: &PacketSocket, count: usize) -> Vec<(Vec<u8>, crate::LinkSource)> {
    let mut batch = ReceiveBatch::new(16, 2048);
    let mut packets = Vec::new();
    while packets.len() < count {
        assert!(socket.wait_readable(PATIENCE).unwrap());
        socket.receive(&mut batch).unwrap();
        for packet in &batch {
            let Source::Link(source) = packet.source else { panic!("{:?}", packet.source) };
            packets.push((packet.bytes[HEADERS..].to_vec(), source));
        }
    }
    packets
}

#[test]
fn without_privilege_the_error_says_how_to_get_it() {
    match PacketSocket::open(&PacketConfig::new()) {
        Ok(socket) => assert!(socket.receive_buffer() > 0),
        Err(error) => {
            assert!(matches!(error, OpenError::NotPermitted { .. }), "{error:?}");
            assert!(error.to_string().contains("setcap cap_net_raw=ep"));
        }
    }
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn each_packet_is_seen_leaving_and_arriving() {
    let (listener, config) = listener();
    let socket = PacketSocket::open(&config.clone().timestamps(true)).unwrap();
    let arriving = PacketSocket::open(&config.ignore_outgoing(true).lock_filter(true)).unwrap();
    listener.send_to(b"hello", listener.local_addr().unwrap()).unwrap();

    let seen = receive(&socket, 2);
    let types: Vec<_> = seen.iter().map(|(_, source)| source.packet_type).collect();
    assert_eq!(types, [PacketType::Outgoing, PacketType::Host]);
    for (payload, source) in seen {
        assert_eq!(payload, b"hello");
        assert_eq!(source.hardware_type, LOOPBACK_HARDWARE);
        assert_eq!(source.address.interface, loopback());
        assert_eq!(source.address.protocol, LinkAddress::IPV4);
        assert_eq!(source.address.address(), [0; 6]);
    }
    assert_eq!(receive(&arriving, 1)[0].1.packet_type, PacketType::Host);
    assert_eq!(arriving.statistics().unwrap(), PacketStatistics { received: 1, dropped: 0 });
    let locked = arriving.attach_filter(&to_port(1)).unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::PermissionDenied);
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn a_packet_socket_sends_what_another_receives() {
    let (listener, config) = listener();
    let port = listener.local_addr().unwrap().port();
    let receiver = PacketSocket::open(&config.ignore_outgoing(true)).unwrap();
    let sender = PacketSocket::open(&PacketConfig::new().send_only().bypass_queue(true)).unwrap();
    let to = LinkAddress::new(loopback(), LinkAddress::IPV4, &[0; 6]).unwrap();

    let mut batch = SendBatch::new(4, 70_000);
    let packet = |batch: &mut SendBatch, length: usize, mark: u8| {
        let bytes = batch.push_with(length, to.into()).unwrap();
        bytes.fill(mark);
        (bytes[0], bytes[9]) = (0x45, 17);
        bytes[22..24].copy_from_slice(&port.to_be_bytes());
    };
    packet(&mut batch, 40, 1);
    // Past the MTU of loopback, which is 65,536.
    packet(&mut batch, 69_000, 2);
    packet(&mut batch, 50, 3);
    assert_eq!(sender.send(&mut batch).unwrap(), 1);
    let error = sender.send(&mut batch).unwrap_err();
    assert_eq!(rustix::io::Errno::from_io_error(&error), Some(rustix::io::Errno::MSGSIZE));
    assert_eq!(batch.first().unwrap().0.len(), 69_000);
    assert!(batch.skip_first());
    assert_eq!(sender.send(&mut batch).unwrap(), 1);

    let mut payloads: Vec<_> = receive(&receiver, 2).into_iter().map(|(bytes, _)| bytes).collect();
    payloads.sort_unstable();
    assert_eq!(payloads, [vec![1; 12], vec![3; 22]]);
    assert_eq!(sender.statistics().unwrap(), PacketStatistics::default());
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn at_the_link_level_the_header_is_there() {
    const ETHERNET: usize = 14;
    let (listener, _) = listener();
    let port = listener.local_addr().unwrap().port();
    // The same program, 14 bytes further in.
    let program = to_port(port).into_iter().map(|instruction| match instruction.code {
        0x30 | 0x28 => {
            FilterInstruction { operand: instruction.operand + ETHERNET as u32, ..instruction }
        }
        _ => instruction,
    });
    let config = PacketConfig::new()
        .level(PacketLevel::Link)
        .interface(loopback())
        .promiscuous(true)
        .protocol(LinkAddress::IPV4)
        .filter(program.collect());
    let socket = PacketSocket::open(&config).unwrap();
    listener.send_to(b"hello", listener.local_addr().unwrap()).unwrap();
    assert!(socket.wait_readable(PATIENCE).unwrap());
    let mut batch = ReceiveBatch::new(1, 2048);
    assert_eq!(socket.receive(&mut batch).unwrap(), 1);
    let packet = batch.iter().next().unwrap();
    assert_eq!(packet.bytes[12..15], [0x08, 0x00, 0x45]);
    assert_eq!(packet.bytes[ETHERNET + HEADERS..], *b"hello");
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn a_ring_brings_the_same_packets() {
    let (listener, config) = listener();
    let mut ring = PacketRing::open(&config.receive_buffer(1 << 20)).unwrap();
    assert_eq!(ring.size(), 1 << 20);
    assert!(ring.next_block().is_none());
    listener.send_to(b"hello", listener.local_addr().unwrap()).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        assert!(ring.wait_readable(PATIENCE).unwrap());
        while let Some(block) = ring.next_block() {
            for packet in &block {
                assert_eq!(packet.bytes[HEADERS..], *b"hello");
                assert!(packet.timestamp.is_some() && !packet.is_truncated());
                let Source::Link(source) = packet.source else { panic!("{:?}", packet.source) };
                seen.push(source.packet_type);
            }
        }
    }
    assert_eq!(seen, [PacketType::Outgoing, PacketType::Host]);
    assert_eq!(ring.statistics().unwrap(), PacketStatistics { received: 2, dropped: 0 });
    ring.attach_filter(&to_port(1)).unwrap();
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn what_the_kernel_dropped_is_counted() {
    const SENT: u64 = 200;
    let (listener, config) = listener();
    let config = config.ignore_outgoing(true).receive_buffer(0);
    let socket = PacketSocket::open(&config).unwrap();
    for _ in 0..SENT {
        listener.send_to(&[0; 200], listener.local_addr().unwrap()).unwrap();
        // What arrived has passed the packet socket. More at once might not fit the kernel's own queues.
        listener.recv(&mut [0; 200]).unwrap();
        // Each reading resets the kernel's counters: the sums must not care.
        socket.statistics().unwrap();
    }
    let statistics = socket.statistics().unwrap();
    assert_eq!(statistics.received + statistics.dropped, SENT);
    assert!(statistics.dropped > 0 && statistics.received > 0, "{statistics:?}");
    let queued = receive(&socket, statistics.received as usize).len();
    assert_eq!(queued as u64, statistics.received);
    assert!(!socket.wait_readable(Duration::ZERO).unwrap());
}

#[test]
#[ignore = "needs root: opens packet sockets"]
fn what_cannot_be_opened_names_its_step() {
    let nowhere = PacketConfig::new().interface(u32::MAX);
    let nothing = PacketConfig::new().filter(Vec::new());
    let promiscuous = PacketConfig::new().interface(0x7fff_ffff).promiscuous(true);
    for (config, words) in [
        (nowhere, "cannot bind to interface 4294967295"),
        (nothing, "cannot attach a filter of 0 instructions"),
        (promiscuous, "cannot make interface 2147483647 promiscuous"),
    ] {
        let error = PacketSocket::open(&config).unwrap_err();
        assert!(matches!(error, OpenError::Step { .. }), "{error:?}");
        assert_eq!(error.to_string(), words);
    }
}
