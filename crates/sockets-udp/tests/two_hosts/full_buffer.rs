//! A sender that waits for room in its buffer.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sockets_udp::{Event, UdpSocket};

use crate::hosts::{Host, Hosts, ip, with_hosts};

/// More than a send buffer of the smallest size has room for.
const FILL: usize = 40;
/// How often a wait may be polled that has nothing to do: some wakes are of both directions.
const LOOKS: u32 = 16;

/// Datagrams to a neighbour that does not tell where it is stay in the send buffer (arp(7)).
#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_full_buffer_is_waited_for_behind_an_icmp_error() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        let (of_peer, _) = Hosts::address(Host::There, 1);
        // Nobody is bound there.
        let target = SocketAddr::new(of_peer, 9);
        hosts.enter(Host::Here);
        // It is asked for so often that it is not given up while this runs.
        std::fs::write("/proc/sys/net/ipv4/neigh/link1/mcast_solicit", "1000000").unwrap();
        let connected = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        connected.connect(target).unwrap();
        let socket = UdpSocket::builder().socket(connected).send_buffer(1).open().unwrap();
        let mut events = socket.events();
        socket.send_to(b"to nobody", target).await.unwrap();
        while !matches!(events.recv().await, Some(Event::PeerUnreachable { .. })) {
            // The first wait for a datagram sees it.
            let waiting = tokio::time::timeout(Duration::from_millis(10), socket.recv()).await;
            assert!(waiting.is_err(), "nobody sends anything");
        }
        hosts.enter(Host::There);
        ip(&["link", "set", "link1", "arp", "off"]);
        hosts.enter(Host::Here);
        ip(&["neigh", "del", &of_peer.to_string(), "dev", "link1"]);
        let mut looks = 0;
        {
            let filling = async {
                for _ in 0..FILL {
                    socket.send_to(&[7; 1000], target).await.unwrap();
                }
            };
            let mut filling = pin!(filling);
            let counted = poll_fn(|context| {
                looks += 1;
                let filled: Poll<()> = filling.as_mut().poll(context);
                filled
            });
            let waited = tokio::time::timeout(Duration::from_secs(1), counted).await;
            assert!(waited.is_err(), "the buffer has room for all");
        }
        assert!(looks <= LOOKS, "{looks} looks in a second in which nothing happened");
        // The neighbour is there again, and so is room.
        hosts.make_known(Host::There, of_peer, 1);
        hosts.enter(Host::Here);
        socket.send_to(b"room", target).await.unwrap();
    });
}
