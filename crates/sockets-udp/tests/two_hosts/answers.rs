//! Answers that come from where the question went to, link-local and group addresses included.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::process::Command;
use std::time::Duration;

use sockets_udp::{Datagram, Echo, Interface, RecvError, UdpSocket};
use stats::SocketStats;
use tokio_util::sync::CancellationToken;

use crate::hosts::{Host, Hosts, add_address, ip, with_hosts};

/// More than a send buffer of the smallest size has room for answers.
const QUESTIONS: usize = 40;

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 71, 9));
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x71);

fn open(address: IpAddr) -> UdpSocket {
    let builder = UdpSocket::builder().bind(SocketAddr::new(address, 0));
    builder.multicast_interface(Interface::from("link1")).open().unwrap()
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_service_on_every_address_answers_from_the_one_it_was_asked_at() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        hosts.enter(Host::There);
        // The first address of the family on the link is not the one that is asked.
        let second = IpAddr::from([10, 71, 1, 99]);
        add_address(second, 1);
        add_address(LINK_LOCAL.into(), 1);
        for address in [second, LINK_LOCAL.into(), GROUP] {
            hosts.make_known(Host::There, address, 1);
        }
        hosts.enter(Host::There);
        let server = open(Ipv6Addr::UNSPECIFIED.into());
        server.join(GROUP, &Interface::from("link1")).unwrap();
        let port = server.local_addr().port();
        let service = server.clone();
        let serving = tokio::spawn(async move { service.serve(Echo::new()).await });

        hosts.enter(Host::Here);
        let scope = Interface::from("link1").index().unwrap();
        let (v4, v6) = Hosts::address(Host::There, 1);
        let link_local = SocketAddrV6::new(LINK_LOCAL, port, 0, scope).into();
        for (asked, answers) in [
            ((v4, port).into(), v4),
            ((second, port).into(), second),
            ((v6, port).into(), v6),
            (link_local, LINK_LOCAL.into()),
            // Nobody sends from a group: an address of the interface answers for it.
            ((GROUP, port).into(), v4),
        ] {
            let client = open(match asked {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            });
            client.send_to(b"?", asked).await.unwrap();
            let source = client.recv().await.unwrap().source;
            assert_eq!((source.ip(), source.port()), (answers, port), "asked at {asked}");
        }
        server.close();
        assert_eq!(serving.await.unwrap().unwrap().answered, 5);
    });
}

/// Datagrams to a neighbour that does not tell where it is stay in the send buffer (arp(7)).
#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_service_that_is_stopped_waits_for_the_grace_only() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        hosts.enter(Host::There);
        // It is asked for so often that it is not given up while this runs.
        std::fs::write("/proc/sys/net/ipv4/neigh/link1/mcast_solicit", "1000000").unwrap();
        let stats = SocketStats::new();
        let settings = UdpSocket::builder().send_buffer(1).stats(stats.clone());
        let server = settings.open().unwrap();
        let to = SocketAddr::new(Hosts::address(Host::There, 1).0, server.local_addr().port());
        let client = hosts.on(Host::Here, || open(Hosts::address(Host::Here, 1).0));
        for _ in 0..QUESTIONS {
            client.send_to(&[7; 1000], to).await.unwrap();
        }
        hosts.enter(Host::Here);
        ip(&["link", "set", "link1", "arp", "off"]);
        hosts.enter(Host::There);
        let (of_client, _) = Hosts::address(Host::Here, 1);
        ip(&["neigh", "del", &of_client.to_string(), "dev", "link1"]);
        let stop = CancellationToken::new();
        stop.cancel();
        let grace = Duration::from_millis(50);
        let report = server.serve_until_within(Echo::new(), &stop, grace).await.unwrap();
        assert!(report.cut_off > 0, "{report:?}");
        assert_eq!(report.received, report.answered + report.failed + report.cut_off);
        let counted = stats.snapshot().totals();
        assert_eq!(counted.dropped_messages, report.failed + report.cut_off);
        assert_eq!(counted.messages_sent, report.answered);
        assert!(!server.is_closed());
    });
}

/// The kernel can be told to end a socket (`ss -K`, `SOCK_DESTROY` of `sock_diag`), here while the
/// service is at work: who waits for a datagram then is not told.
#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_service_that_cannot_receive_any_more_says_what_it_did() {
    with_hosts(async |_| {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let open = || UdpSocket::builder().bind((localhost, 0).into()).open().unwrap();
        let (server, client) = (open(), open());
        for text in [b"1", b"2", b"3"] {
            client.send_to(text, server.local_addr()).await.unwrap();
        }
        let port = server.local_addr().port().to_string();
        let end = |datagram: Datagram| {
            if datagram.data == "3" {
                let ss = Command::new("ss").args(["-K", "-u", "-a", "sport", "=", &port]).output();
                assert!(ss.expect("this test needs iproute2").status.success());
            }
            None
        };
        let error = server.serve(end).await.unwrap_err();
        assert_eq!((error.report.received, error.report.answered), (3, 0));
        assert!(matches!(error.source, RecvError::Io { .. }), "{error:?}");
        assert_eq!(error.to_string(), "the service ended: 3 received, 0 answered");
    });
}
