//! Over loopback, where the datagrams are waited for; cut ones are cut by the kernel.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::os::unix::net::UnixDatagram;

use rustix::event::{PollFd, PollFlags};

use super::*;
use crate::{ReceiveBatch, Source};

fn to(bytes: &[u8], destination: SocketAddr) -> OutgoingMessage<'_> {
    OutgoingMessage { bytes, destination: destination.into(), control: SendControl::default() }
}

/// Receives until so many came.
fn received(socket: &UdpSocket, count: usize) -> Vec<(Vec<u8>, Source)> {
    let mut batch = ReceiveBatch::new(128, 2048);
    let mut all = Vec::new();
    while all.len() < count {
        rustix::event::poll(&mut [PollFd::new(&socket, PollFlags::IN)], None).unwrap();
        batch.receive(socket).unwrap();
        all.extend(batch.iter().map(|packet| (packet.bytes.to_vec(), packet.source)));
    }
    all
}

#[test]
fn one_payload_goes_to_many_without_a_copy() {
    let here = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peers: Vec<_> = (0..5).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let mut sender = BatchSender::new(3);
    let mut targets: Vec<_> = peers.iter().map(|peer| peer.local_addr().unwrap()).collect();
    while !targets.is_empty() {
        let taken = sender.send(&here, targets.iter().map(|target| to(b"same", *target))).unwrap();
        assert_eq!(taken, targets.len().min(3));
        targets.drain(..taken);
    }
    for peer in &peers {
        let source = Source::Socket(here.local_addr().unwrap());
        assert_eq!(received(peer, 1), [(b"same".to_vec(), source)]);
    }
    assert_eq!(sender.send(&here, []).unwrap(), 0);
}

#[test]
fn the_kernel_cuts_where_it_is_told_to() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let here = UdpSocket::bind(address).unwrap();
        let there = UdpSocket::bind(address).unwrap();
        let bytes: Vec<u8> = (0..1050_u32).map(|byte| byte as u8).collect();
        let mut message = to(&bytes, there.local_addr().unwrap());
        message.control.segment_size = NonZeroU16::new(100);
        assert_eq!(BatchSender::new(1).send(&here, [message]).unwrap(), 1);
        let came: Vec<_> = received(&there, 11).into_iter().map(|(bytes, _)| bytes).collect();
        assert_eq!(came, bytes.chunks(100).map(<[u8]>::to_vec).collect::<Vec<_>>());
    }
}

#[test]
fn the_source_is_the_one_asked_for() {
    let here = UdpSocket::bind("0.0.0.0:0").unwrap();
    let there = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = IpAddr::from([127, 0, 0, 77]);
    let mut message = to(b"x", there.local_addr().unwrap());
    message.control = SendControl { source: Some(from), interface: 1, segment_size: None };
    assert_eq!(BatchSender::new(1).send(&here, [message]).unwrap(), 1);
    let port = here.local_addr().unwrap().port();
    let source = Source::Socket(SocketAddr::new(from, port));
    assert_eq!(received(&there, 1), [(b"x".to_vec(), source)]);
}

#[test]
fn what_does_not_go_together_stops_the_batch_before_it() {
    let here = UdpSocket::bind("127.0.0.1:0").unwrap();
    let there = UdpSocket::bind("127.0.0.1:0").unwrap();
    let good = to(b"x", there.local_addr().unwrap());
    let mut senseless = good;
    senseless.control.source = Some("::1".parse().unwrap());
    let mut sender = BatchSender::new(4);
    assert_eq!(sender.send(&here, [good, senseless, good]).unwrap(), 1);
    let error = sender.send(&here, [senseless, good]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn an_empty_message_is_one() {
    let (here, there) = UnixDatagram::pair().unwrap();
    let message = OutgoingMessage {
        bytes: b"",
        destination: Destination::Connected,
        control: SendControl::default(),
    };
    assert_eq!(BatchSender::new(4).send(&here, [message, message]).unwrap(), 2);
    let mut batch = ReceiveBatch::new(4, 4);
    assert_eq!(batch.receive(&there).unwrap(), 2);
    assert!(batch.iter().all(|packet| packet.length == 0));
}
