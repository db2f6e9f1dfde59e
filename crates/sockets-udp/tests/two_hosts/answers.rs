//! Answers that come from where the question went to, link-local and group addresses included.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use sockets_udp::{Echo, Interface, UdpSocket};

use crate::hosts::{Host, Hosts, add_address, with_hosts};

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
