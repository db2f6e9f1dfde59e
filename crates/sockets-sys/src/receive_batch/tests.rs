//! Batches received over UNIX sockets, which keep the order and deliver before the call returns; and
//! over loopback, where the packets are waited for.

use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::*;
use crate::{Destination, SendBatch, set_timestamps};

fn pair() -> (UnixDatagram, UnixDatagram) {
    UnixDatagram::pair().unwrap()
}

fn udp_pair(address: &str) -> (UdpSocket, UdpSocket) {
    (UdpSocket::bind(address).unwrap(), UdpSocket::bind(address).unwrap())
}

fn send(fd: impl AsFd, destination: Destination, packets: &[&[u8]]) {
    let mut batch = SendBatch::new(packets.len(), 64);
    for packet in packets {
        batch.push(packet, destination).unwrap();
    }
    assert_eq!(batch.send(fd).unwrap(), packets.len());
}

fn wait(fd: impl AsFd) {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    rustix::event::poll(&mut fds, None).unwrap();
}

#[test]
fn packets_come_in_order_up_to_the_capacity() {
    let (here, there) = pair();
    send(&here, Destination::Connected, &[b"one", b"", b"three"]);
    let mut batch = ReceiveBatch::new(2, 16);
    assert_eq!(batch.receive(&there).unwrap(), 2);
    let bytes: Vec<_> = batch.iter().map(|packet| packet.bytes).collect();
    assert_eq!(bytes, [&b"one"[..], b""]);
    assert_eq!(batch.receive(&there).unwrap(), 1);
    let last = batch.iter().next().unwrap();
    assert_eq!((last.bytes, last.source, last.timestamp), (&b"three"[..], Source::Unknown, None));
    assert!(!last.is_truncated());
}

#[test]
fn nothing_there_is_no_error_and_forgets_what_was() {
    let (here, there) = pair();
    send(&here, Destination::Connected, &[b"one"]);
    let mut batch = ReceiveBatch::new(4, 16);
    assert_eq!(batch.receive(&there).unwrap(), 1);
    assert_eq!(batch.receive(&there).unwrap(), 0);
    assert!(batch.is_empty());
    assert_eq!(batch.iter().count(), 0);
}

#[test]
fn a_cut_packet_tells_its_length() {
    let (here, there) = pair();
    send(&here, Destination::Connected, &[b"123456789", b"1234", b"x"]);
    let mut batch = ReceiveBatch::new(4, 4);
    assert_eq!(batch.receive(&there).unwrap(), 3);
    let seen: Vec<_> =
        batch.iter().map(|packet| (packet.bytes, packet.length, packet.is_truncated())).collect();
    assert_eq!(seen, [(&b"1234"[..], 9, true), (b"1234", 4, false), (b"x", 1, false)]);
}

#[test]
fn no_buffers_and_empty_buffers() {
    let (here, there) = pair();
    send(&here, Destination::Connected, &[b"12"]);
    let mut none = ReceiveBatch::new(0, 16);
    assert_eq!(none.receive(&there).unwrap(), 0);
    let mut empty = ReceiveBatch::new(2, 0);
    assert_eq!(empty.receive(&there).unwrap(), 1);
    let packet = empty.iter().next().unwrap();
    assert_eq!((packet.bytes, packet.length), (&b""[..], 2));
    assert_eq!(ReceiveBatch::new(5000, 1).capacity(), ReceiveBatch::MOST_PER_CALL);
}

#[test]
fn the_source_is_the_sender() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (here, there) = udp_pair(address);
        send(&here, there.local_addr().unwrap().into(), &[b"x"]);
        wait(&there);
        let mut batch = ReceiveBatch::new(8, 16);
        assert_eq!(batch.receive(&there).unwrap(), 1);
        let source = batch.iter().next().unwrap().source;
        assert_eq!(source, Source::Socket(here.local_addr().unwrap()));
    }
}

#[test]
fn timestamps_are_the_kernels_and_of_now() {
    let (here, there) = udp_pair("127.0.0.1:0");
    let to = Destination::Socket(there.local_addr().unwrap());
    let mut batch = ReceiveBatch::new(2, 4);
    let mut stamp = || {
        send(&here, to, &[b"x"]);
        wait(&there);
        assert_eq!(batch.receive(&there).unwrap(), 1);
        batch.iter().next().unwrap().timestamp
    };
    assert_eq!(stamp(), None);
    set_timestamps(&there, true).unwrap();
    let now = SystemTime::now();
    let stamped = stamp().unwrap();
    // The system's clock may be set meanwhile; a stamp read wrongly is off by decades.
    let day = Duration::from_hours(24);
    assert!(now - day < stamped && stamped < now + day, "{stamped:?}");
    set_timestamps(&there, false).unwrap();
    assert_eq!(stamp(), None);
}

#[test]
fn the_error_of_the_socket_is_told_once() {
    let (here, there) = udp_pair("127.0.0.1:0");
    here.connect(there.local_addr().unwrap()).unwrap();
    // With a peer of its own it refuses all others, and nobody else gets its port.
    there.connect(there.local_addr().unwrap()).unwrap();
    here.send(b"x").unwrap();
    wait(&here);
    let mut batch = ReceiveBatch::new(2, 4);
    let error = batch.receive(&here).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(batch.receive(&here).unwrap(), 0);
}

#[test]
fn a_stream_is_refused_and_left_alone() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut here = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut there, _) = listener.accept().unwrap();
    here.write_all(b"x").unwrap();
    wait(&there);
    let error = ReceiveBatch::new(2, 4).receive(&there).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let mut byte = [0];
    there.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"x");
}

#[test]
fn descriptors_in_packets_are_closed() {
    let (here, there) = pair();
    let mut ends = [(); 3].map(|()| crate::control::tests::send_descriptors(&here));
    let mut batch = ReceiveBatch::new(4, 4);
    assert_eq!(batch.receive(&there).unwrap(), 3);
    for end in &mut ends {
        assert!(crate::control::tests::is_closed(end));
    }
    // Nothing is closed twice.
    send(&here, Destination::Connected, &[b"x"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(batch.receive(&there).unwrap(), 1);
    socket.local_addr().unwrap();
}
