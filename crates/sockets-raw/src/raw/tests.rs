//! Raw sockets on loopback. Each test has a protocol number or an address of its own.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::{Destination, Source};

const PATIENCE: Duration = Duration::from_mins(1);
const FIRST: u8 = RawConfig::EXPERIMENTAL[0];
const SECOND: u8 = RawConfig::EXPERIMENTAL[1];
/// Protocol numbers that are unassigned, for what would mix with the others on `::1`.
const THIRD: u8 = 200;
const FOURTH: u8 = 201;

fn on(last: u8, protocol: u8) -> (IpAddr, RawConfig) {
    let address = IpAddr::from(Ipv4Addr::new(127, 0, 77, last));
    (address, RawConfig::v4(protocol).bind(address))
}

#[test]
fn without_privilege_the_error_says_how_to_get_it() {
    match RawSocket::open(&RawConfig::v6(FIRST)) {
        Ok(socket) => assert!(!socket.is_ipv4() && socket.protocol() == FIRST),
        Err(error) => {
            assert!(matches!(error, OpenError::NotPermitted { .. }), "{error:?}");
            assert_eq!(
                error.to_string(),
                "cannot open a raw IPv6 socket for protocol 253 without the capability CAP_NET_RAW: \
                 run as root, or once `sudo setcap cap_net_raw=ep PROGRAM`"
            );
        }
    }
}

/// The kernel takes `::1` for `0.0.0.0`, and the socket would receive what was sent to others.
#[test]
fn an_address_of_the_other_ip_version_is_refused() {
    for (config, text) in [
        (
            RawConfig::v4(FIRST).bind(Ipv6Addr::LOCALHOST.into()),
            "IPv4 socket for protocol 253 cannot be bound to ::1",
        ),
        (
            RawConfig::v6(FIRST).bind(Ipv4Addr::LOCALHOST.into()),
            "IPv6 socket for protocol 253 cannot be bound to 127.0.0.1",
        ),
    ] {
        let error = RawSocket::open(&config).unwrap_err();
        assert!(matches!(error, OpenError::FamilyMismatch { .. }), "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn ipv4_comes_with_the_header_the_kernel_made() {
    let (address, config) = on(1, FIRST);
    let socket = RawSocket::open(&config.hop_limit(7).interface("lo")).unwrap();
    let mut buffer = [0; 256];
    assert!(socket.recv_from(&mut buffer).unwrap().is_none());
    socket.send_to(b"payload", address).unwrap();
    let packet = socket.recv_from_timeout(&mut buffer, PATIENCE).unwrap().unwrap();
    assert_eq!((packet.payload(), packet.source()), (&b"payload"[..], address));
    assert_eq!((packet.header().len(), packet.length()), (20, 27));
    assert_eq!((packet.header()[8], packet.header()[9]), (7, FIRST));
    assert!(!packet.is_truncated());
    assert!(socket.recv_from_timeout(&mut buffer, Duration::ZERO).unwrap().is_none());
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn ipv6_comes_without_header() {
    let address = IpAddr::from(Ipv6Addr::LOCALHOST);
    let socket = RawSocket::open(&RawConfig::v6(FIRST).bind(address).hop_limit(7)).unwrap();
    socket.send_to(b"payload", address).unwrap();
    let mut buffer = [0; 256];
    let packet = socket.recv_from_timeout(&mut buffer, PATIENCE).unwrap().unwrap();
    assert_eq!((packet.payload(), packet.source()), (&b"payload"[..], address));
    assert_eq!((packet.header(), packet.length(), packet.scope_id()), (&[][..], 7, 0));
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn a_packet_brings_its_own_ipv4_header() {
    let (address, config) = on(2, FIRST);
    let receiver = RawSocket::open(&config).unwrap();
    let sender = RawSocket::open(&RawConfig::v4(FIRST).header_included(true)).unwrap();
    let forged = Ipv4Addr::new(127, 9, 9, 9);
    let mut packet = vec![0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 9, FIRST, 0, 0];
    packet.extend_from_slice(&forged.octets());
    packet.extend_from_slice(&[127, 0, 77, 2]);
    packet.extend_from_slice(b"mine");
    sender.send_to(&packet, address).unwrap();

    let mut buffer = [0; 256];
    let received = receiver.recv_from_timeout(&mut buffer, PATIENCE).unwrap().unwrap();
    assert_eq!((received.source(), received.payload()), (forged.into(), &b"mine"[..]));
    assert_eq!(received.header()[4..10], packet[4..10]);
    // The kernel filled in the checksum: the sum of all words is all ones (RFC 1071).
    let words = received.header().chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let sum: u32 = words.sum();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn a_packet_brings_its_own_ipv6_header() {
    let address = IpAddr::from(Ipv6Addr::LOCALHOST);
    let receiver = RawSocket::open(&RawConfig::v6(SECOND).bind(address)).unwrap();
    let sender = RawSocket::open(&RawConfig::v6(SECOND).header_included(true)).unwrap();
    let mut packet = vec![0x60, 0, 0, 0, 0, 4, SECOND, 9];
    packet.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
    packet.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
    packet.extend_from_slice(b"mine");
    sender.send_to(&packet, address).unwrap();
    let mut buffer = [0; 256];
    let received = receiver.recv_from_timeout(&mut buffer, PATIENCE).unwrap().unwrap();
    assert_eq!(received.payload(), b"mine");
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn batches_of_whole_packets() {
    let (address, config) = on(3, SECOND);
    let receiver = RawSocket::open(&config).unwrap();
    let sender = RawSocket::open(&RawConfig::v4(SECOND).header_included(true)).unwrap();
    let to = Destination::Socket(SocketAddr::new(address, 0));
    let mut batch = SendBatch::new(16, 64);
    for number in 0..10 {
        let packet = batch.push_with(21, to).unwrap();
        packet.fill(0);
        (packet[0], packet[8], packet[9], packet[20]) = (0x45, 64, SECOND, number);
        packet[16..20].copy_from_slice(&[127, 0, 77, 3]);
    }
    assert_eq!(sender.send(&mut batch).unwrap(), 10);

    let mut seen = Vec::new();
    let mut received = ReceiveBatch::new(16, 64);
    while seen.len() < 10 {
        assert!(sockets_sys::wait_readable([receiver.as_fd()], PATIENCE).unwrap());
        receiver.receive(&mut received).unwrap();
        for packet in &received {
            assert!(matches!(packet.source, Source::Socket(address) if address.ip().is_loopback()));
            let (header, payload) = split_ipv4(packet.bytes).unwrap();
            assert_eq!(header[9], SECOND);
            seen.extend_from_slice(payload);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<u8>>());
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn a_small_buffer_tells_the_true_length() {
    let (address, config) = on(4, SECOND);
    let socket = RawSocket::open(&config).unwrap();
    // Room for a part of the payload, of the header, and for nothing.
    for (room, header, payload) in [(22, 20, 2), (8, 0, 8), (0, 0, 0)] {
        socket.send_to(b"payload", address).unwrap();
        let mut buffer = vec![0; room];
        let packet = socket.recv_from_timeout(&mut buffer, PATIENCE).unwrap().unwrap();
        assert_eq!((packet.header().len(), packet.payload().len()), (header, payload));
        assert!(packet.is_truncated());
        assert_eq!(packet.length(), 27);
    }
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn what_came_before_it_was_bound_does_not_come() {
    let protocol = 202;
    let elsewhere = IpAddr::from(Ipv4Addr::new(127, 0, 77, 6));
    let (address, config) = on(7, protocol);
    let sender = RawSocket::open(&RawConfig::v4(protocol)).unwrap();
    let socket = RawSocket::unbound(&config).unwrap();
    sender.send_to(b"for another", elsewhere).unwrap();
    sender.send_to(b"too early", address).unwrap();
    // The kernel may deliver later than it sends: the sender, unbound, gets a copy of each.
    let mut buffer = [0; 64];
    for _ in 0..2 {
        sender.recv_from_timeout(&mut buffer, PATIENCE).unwrap().unwrap();
    }
    socket.bind(&config).unwrap();
    sender.send_to(b"for another", elsewhere).unwrap();
    sender.send_to(b"in time", address).unwrap();
    let packet = socket.recv_from_timeout(&mut buffer, PATIENCE).unwrap().unwrap();
    assert_eq!(packet.payload(), b"in time");
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn what_cannot_be_sent_is_this_machines_matter() {
    let socket = RawSocket::open(&RawConfig::v4(THIRD)).unwrap();
    let error = socket.send_to(b"x", Ipv6Addr::LOCALHOST.into()).unwrap_err();
    assert_eq!(error.to_string(), "::1 cannot be reached with an IPv4 socket");

    let here = IpAddr::from(Ipv4Addr::new(127, 0, 77, 5));
    let error = socket.send_to(&vec![0; 70_000], here).unwrap_err();
    assert_eq!(error.to_string(), "cannot send 70000 bytes to 127.0.77.5");
    let SendError::Refused { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(Errno::from_io_error(&source), Some(Errno::MSGSIZE));

    // A header for IPv4 alone is no packet.
    let included = RawSocket::open(&RawConfig::v4(THIRD).header_included(true)).unwrap();
    assert!(matches!(included.send_to(&[0x45; 10], here), Err(SendError::Refused { .. })));
}

#[test]
#[ignore = "needs root: opens raw sockets"]
fn what_cannot_be_opened_names_its_step() {
    // An address of the block for documentation (RFC 5737), which no machine has.
    let nowhere = RawConfig::v4(FOURTH).bind(Ipv4Addr::new(192, 0, 2, 1).into());
    for (config, words) in [
        (nowhere, "cannot bind to 192.0.2.1"),
        (RawConfig::v6(FOURTH).interface("no-such"), "cannot bind to interface `no-such`"),
        (RawConfig::v4(FOURTH).hop_limit(0), "cannot set the hop limit to 0"),
    ] {
        let error = RawSocket::open(&config).unwrap_err();
        assert!(matches!(error, OpenError::Step { .. }), "{error:?}");
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn full_and_refused_are_told_apart() {
    let to = IpAddr::from(Ipv4Addr::LOCALHOST);
    for (errno, full) in [
        (Errno::AGAIN, true),
        (Errno::NOBUFS, true),
        (Errno::PERM, false),
        (Errno::NETUNREACH, false),
    ] {
        let error = SendError::new(9, to, errno.into());
        assert_eq!(matches!(error, SendError::QueueFull { .. }), full, "{errno}");
    }
}

#[test]
fn header_and_payload_come_apart() {
    let mut packet = vec![0x46, 0, 0, 26];
    packet.resize(30, 1);
    // 24 bytes of header with options, 2 of payload, and 4 behind the packet's end.
    let (header, payload) = split_ipv4(&packet).unwrap();
    assert_eq!((header.len(), payload), (24, &[1, 1][..]));
    packet[3] = 0;
    assert_eq!(split_ipv4(&packet).unwrap().1.len(), 6);
    for first in [0x44, 0x66, 0x4f] {
        packet[0] = first;
        assert_eq!(split_ipv4(&packet), None, "{first:#x}");
    }
    assert_eq!(split_ipv4(&[]), None);
    assert_eq!(split_ipv4(&[0x45]), None);
}

proptest! {
    #[test]
    fn any_bytes_come_apart(mut bytes in prop::collection::vec(any::<u8>(), 0..100), v4: bool) {
        if let Some(first) = bytes.first_mut() && v4 {
            *first = 0x40 | (*first & 0x0f);
        }
        if let Some((header, payload)) = split_ipv4(&bytes) {
            prop_assert!(header.len() >= 20 && header.len() <= 60);
            prop_assert!(bytes.starts_with(&[header, payload].concat()));
        }
        for source in ["127.0.0.1:0", "[::1]:0"] {
            let packet = RawPacket::new(&bytes, bytes.len(), source.parse().unwrap());
            prop_assert!(packet.header().len() + packet.payload().len() <= bytes.len());
        }
    }
}
