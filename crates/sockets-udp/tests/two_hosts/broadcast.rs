//! Broadcast on chosen interfaces.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sockets_udp::{BroadcastError, Interface, UdpSocket};

use crate::hosts::{Host, Hosts, ip, with_hosts};

fn open() -> UdpSocket {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    UdpSocket::builder().bind(any).broadcast(true).open().unwrap()
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn every_interface_or_a_chosen_one() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        hosts.connect(2);
        let there = hosts.on(Host::There, open);
        let here = hosts.on(Host::Here, open);
        let port = there.local_addr().port();

        let results = here.broadcast_everywhere(b"all", port).await.unwrap().networks;
        assert_eq!(results.len(), 2, "{results:?}");
        let mut heard = Vec::new();
        for (result, link) in results.iter().zip([1, 2]) {
            assert!(result.result.is_ok(), "{result:?}");
            assert_eq!(result.interface, format!("link{link}"));
            assert_eq!(*result.target.ip(), Ipv4Addr::new(10, 71, link, 255));
            assert_eq!(IpAddr::V4(result.address), Hosts::address(Host::Here, link).0);
            let datagram = there.recv().await.unwrap();
            assert_eq!(datagram.data, "all");
            heard.push((datagram.source.ip(), datagram.destination, datagram.local));
        }
        heard.sort_unstable();
        let expected = [1, 2].map(|link| {
            let (here, there) =
                (Hosts::address(Host::Here, link), Hosts::address(Host::There, link));
            (here.0, Some(Ipv4Addr::new(10, 71, link, 255).into()), Some(there.0))
        });
        assert_eq!(heard, expected);

        let results =
            here.broadcast_on(b"one", port, &Interface::from("link2")).await.unwrap().networks;
        assert!(results.len() == 1 && results[0].result.is_ok(), "{results:?}");
        let datagram = there.recv().await.unwrap();
        assert_eq!((&datagram.data[..], datagram.source.ip()), (&b"one"[..], expected[1].0));
        assert!(there.try_recv().unwrap().is_none());
    });
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_network_without_a_broadcast_address_gets_the_limited_one() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        for host in [Host::Here, Host::There] {
            hosts.enter(host);
            let (address, _) = Hosts::address(host, 1);
            ip(&["address", "del", &format!("{address}/24"), "dev", "link1"]);
            ip(&["address", "add", &format!("{address}/32"), "dev", "link1"]);
        }
        let there = hosts.on(Host::There, open);
        let here = hosts.on(Host::Here, open);
        let link = Interface::from("link1");
        let results =
            here.broadcast_on(b"x", there.local_addr().port(), &link).await.unwrap().networks;
        assert!(results.len() == 1 && results[0].result.is_ok(), "{results:?}");
        assert_eq!(*results[0].target.ip(), Ipv4Addr::BROADCAST);
    });
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn an_interface_that_is_down_is_named() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        hosts.enter(Host::Here);
        let here = open();
        ip(&["link", "set", "link1", "down"]);
        let error = here.broadcast_on(b"x", 9, &Interface::from("link1")).await.unwrap_err();
        assert!(matches!(error, BroadcastError::NoNetwork { .. }), "{error}");
        assert!(here.broadcast_everywhere(b"x", 9).await.unwrap().networks.is_empty());
    });
}
