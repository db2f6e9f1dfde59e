//! Datagrams from one socket to another.

use std::pin::pin;

use sockets_udp::{MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, RecvError, SendError};
use stats::{Role, SocketStats};
use tokio::task::JoinSet;

use crate::{V4, V6, assert_waits, on, open};

#[tokio::test]
async fn both_families_carry_bytes_untouched() {
    for address in [V4, V6] {
        let (here, there) = (open(address), open(address));
        let every_byte: Vec<u8> = (0..=255).collect();
        for data in [&b""[..], b"\xff\xfe\x80 not UTF-8 \0", &every_byte] {
            here.send_to(data, there.local_addr()).await.unwrap();
            let datagram = there.recv().await.unwrap();
            assert_eq!((&datagram.data[..], datagram.source), (data, here.local_addr()));
        }
    }
}

#[tokio::test]
async fn an_empty_datagram_is_data_and_no_end() {
    let (here, there) = (open(V4), open(V4));
    here.send_to(b"", there.local_addr()).await.unwrap();
    here.send_to(b"after", there.local_addr()).await.unwrap();
    assert!(there.recv().await.unwrap().data.is_empty());
    assert_eq!(there.recv().await.unwrap().data, "after");
}

#[tokio::test]
async fn the_longest_datagram_arrives_whole_and_a_longer_one_is_refused() {
    for (address, limit) in [(V4, MAX_PAYLOAD_V4), (V6, MAX_PAYLOAD_V6)] {
        let (here, there) = (open(address), open(address));
        let data: Vec<u8> = (0..=limit).map(|index| index as u8).collect();
        here.send_to(&data[..limit], there.local_addr()).await.unwrap();
        assert_eq!(there.recv().await.unwrap().data, data[..limit]);

        let error = here.send_to(&data, there.local_addr()).await.unwrap_err();
        assert!(
            matches!(error, SendError::MessageTooLong { size, limit: named, target }
                if (size, named, target) == (limit + 1, limit, there.local_addr())),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_buffer_too_small_is_reported_and_the_next_datagram_is_whole() {
    let (here, there) = (open(V4), open(V4));
    for data in [&b"0123456789"[..], b"abc", b""] {
        here.send_to(data, there.local_addr()).await.unwrap();
    }
    let mut buffer = [0; 4];
    let first = there.recv_into(&mut buffer).await.unwrap();
    assert_eq!((first.stored, first.length, first.is_truncated()), (4, 10, true));
    assert_eq!((&buffer, first.source), (b"0123", here.local_addr()));
    let second = there.recv_into(&mut buffer).await.unwrap();
    assert_eq!((second.stored, second.length, second.is_truncated()), (3, 3, false));
    assert_eq!(&buffer[..3], b"abc");
    let third = there.recv_into(&mut []).await.unwrap();
    assert_eq!((third.length, third.is_truncated()), (0, false));
}

#[tokio::test]
async fn a_dual_stack_socket_speaks_to_both_families() {
    let both = open("::".parse::<std::net::IpAddr>().unwrap());
    let port = both.local_addr().port();
    for address in [V4, V6] {
        let peer = open(address);
        peer.send_to(b"ping", (address, port).into()).await.unwrap();
        let datagram = both.recv().await.unwrap();
        assert_eq!(datagram.source, peer.local_addr(), "an IPv4 peer is seen as IPv4");
        both.send_to(b"pong", datagram.source).await.unwrap();
        assert_eq!(peer.recv().await.unwrap().data, "pong");
    }
}

#[tokio::test]
async fn targets_that_make_no_sense_are_named() {
    let socket = open(V4);
    let other_family = socket.send_to(b"x", (V6, 7).into()).await.unwrap_err();
    assert!(matches!(other_family, SendError::FamilyMismatch { .. }), "{other_family}");
    let no_port = socket.send_to(b"x", (V4, 0).into()).await.unwrap_err();
    assert!(matches!(no_port, SendError::PortZero { .. }), "{no_port}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_task_receives_while_others_send() {
    const SENDERS: u32 = 4;
    const EACH: u32 = 50;
    let (here, there) = (open(V4), open(V4));
    let target = there.local_addr();
    let mut tasks = JoinSet::new();
    for sender in 0..SENDERS {
        let here = here.clone();
        tasks.spawn(async move {
            for number in 0..EACH {
                here.send_to(&(sender * EACH + number).to_be_bytes(), target).await.unwrap();
            }
        });
    }
    let mut seen = Vec::new();
    for _ in 0..SENDERS * EACH {
        let data = there.recv().await.unwrap().data;
        seen.push(u32::from_be_bytes(data[..].try_into().unwrap()));
    }
    tasks.join_all().await;
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..SENDERS * EACH));
}

#[tokio::test]
async fn of_several_receivers_each_datagram_reaches_one() {
    let (here, there) = (open(V4), open(V4));
    let (mut first, mut second) = (pin!(there.recv()), pin!(there.recv()));
    assert_waits(first.as_mut()).await;
    assert_waits(second.as_mut()).await;
    here.send_to(b"1", there.local_addr()).await.unwrap();
    here.send_to(b"2", there.local_addr()).await.unwrap();
    let (first, second) = tokio::join!(first, second);
    let mut data = [first.unwrap().data, second.unwrap().data];
    data.sort_unstable();
    assert_eq!(data, ["1", "2"]);
}

#[tokio::test]
async fn a_receive_that_is_dropped_takes_no_datagram_with_it() {
    let (here, there) = (open(V4), open(V4));
    let mut kept = pin!(there.recv());
    {
        let mut dropped = pin!(there.recv());
        assert_waits(dropped.as_mut()).await;
        assert_waits(kept.as_mut()).await;
        here.send_to(b"data", there.local_addr()).await.unwrap();
    }
    assert_eq!(kept.await.unwrap().data, "data");
}

#[tokio::test]
async fn try_recv_takes_what_is_there() {
    let (here, there) = (open(V4), open(V4));
    assert!(there.try_recv().unwrap().is_none());
    here.send_to(b"1", there.local_addr()).await.unwrap();
    here.send_to(b"2", there.local_addr()).await.unwrap();
    assert_eq!(there.recv().await.unwrap().data, "1");
    let second = loop {
        if let Some(datagram) = there.try_recv().unwrap() {
            break datagram;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(second.data, "2");
    there.close();
    assert!(matches!(there.try_recv(), Err(RecvError::Closed { .. })));
}

/// The reference's defect 4: bytes were counted that were not sent.
#[tokio::test]
async fn defect_4_the_statistics_are_what_went_over_the_socket() {
    let (out, back) = (SocketStats::new(), SocketStats::new());
    let here = on(V4).stats(out.clone()).open().unwrap();
    let there = on(V4).stats(back.clone()).open().unwrap();
    for data in [&b""[..], b"18 bytes, counted.", &[7; 3000]] {
        here.send_to(data, there.local_addr()).await.unwrap();
        there.recv().await.unwrap();
    }
    here.send_to(b"0123456789", there.local_addr()).await.unwrap();
    there.recv_into(&mut [0; 4]).await.unwrap();
    here.send_to(&vec![0; MAX_PAYLOAD_V4 + 1], there.local_addr()).await.unwrap_err();

    let sent = out.snapshot().counters(ports_core::Transport::Udp, Role::Peer);
    assert_eq!((sent.messages_sent, sent.bytes_sent), (4, 3028));
    assert_eq!((sent.messages_received, sent.bytes_received), (0, 0));
    assert_eq!((sent.errors.count(stats::ErrorKind::Write), sent.errors.total()), (1, 1));
    let received = back.snapshot().counters(ports_core::Transport::Udp, Role::Peer);
    assert_eq!((received.messages_received, received.bytes_received), (4, 3028));
    assert_eq!((received.active, received.closed), (1, 0));
}

/// An IPv6 datagram may be longer than `lo` takes in one piece.
#[tokio::test]
async fn a_datagram_too_long_for_the_path_is_told_what_the_path_takes() {
    let mtu: usize =
        std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap().trim().parse().unwrap();
    let headers = 48;
    assert!(mtu < MAX_PAYLOAD_V6 + headers, "lo takes any datagram");
    let there = open(V6);
    let data = vec![1; MAX_PAYLOAD_V6];
    let whole = on(V6).dont_fragment(true).open().unwrap();
    let error = whole.send_to(&data, there.local_addr()).await.unwrap_err();
    assert!(
        matches!(error, SendError::ExceedsMtu { size: MAX_PAYLOAD_V6, limit, dont_fragment: true, .. }
            if limit == Some(mtu - headers)),
        "{error:?}"
    );
    whole.send_to(&data[..mtu - headers], there.local_addr()).await.unwrap();
    assert_eq!(there.recv().await.unwrap().data.len(), mtu - headers);
    let fragmenting = open(V6);
    fragmenting.send_to(&data, there.local_addr()).await.unwrap();
    assert_eq!(there.recv().await.unwrap().data, data);
}
