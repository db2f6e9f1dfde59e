//! Multicast from one host to the other, and an interface that goes away.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sockets_udp::{Event, Interface, JoinError, Membership, Outgoing, RecvBatch, UdpSocket};

use crate::hosts::{Host, Hosts, add_address, ip, with_hosts};

/// Source-specific (RFC 4607), of the site.
const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(232, 71, 0, 1));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff35, 0, 0, 0, 0, 0, 0x8000, 1));

fn link() -> Interface {
    Interface::from("link1")
}

/// A sender bound to `address`, which multicasts on the link.
fn sender(address: IpAddr) -> UdpSocket {
    let bind = SocketAddr::new(address, 0);
    UdpSocket::builder().bind(bind).multicast_interface(link()).open().unwrap()
}

fn receiver(group: IpAddr) -> UdpSocket {
    let any: IpAddr = match group {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::builder().bind((any, 0).into()).open().unwrap()
}

/// The address of the host on link 1, and a second one of the same family that it is given.
fn two_addresses(group: IpAddr) -> [IpAddr; 2] {
    let (v4, v6) = Hosts::address(Host::Here, 1);
    let [first, second] = match group {
        IpAddr::V4(_) => [v4, Ipv4Addr::new(10, 71, 1, 77).into()],
        IpAddr::V6(_) => [v6, Ipv6Addr::new(0xfd71, 1, 0, 0, 0, 0, 0, 0x77).into()],
    };
    add_address(second, 1);
    [first, second]
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_group_is_heard_from_every_source_or_from_one() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        for group in [GROUP_V4, GROUP_V6] {
            let [first, second] = hosts.on(Host::Here, || two_addresses(group)).map(sender);
            let sources = [first.local_addr().ip(), second.local_addr().ip()];
            let (every, one) = hosts.on(Host::There, || (receiver(group), receiver(group)));
            every.join(group, &hosts.on(Host::There, link)).unwrap();
            one.join_source(group, sources[0], &link()).unwrap();
            let index = hosts.on(Host::There, || link().index().unwrap());
            hosts.make_known(Host::There, group, 1);
            for receiver in [&every, &one] {
                let target = SocketAddr::new(group, receiver.local_addr().port());
                second.send_to(b"second", target).await.unwrap();
                first.send_to(b"first", target).await.unwrap();
            }
            for (source, text) in [(sources[1], "second"), (sources[0], "first")] {
                let datagram = every.recv().await.unwrap();
                assert_eq!((&datagram.data[..], datagram.source.ip()), (text.as_bytes(), source));
                assert_eq!((datagram.destination, datagram.interface), (Some(group), index));
            }
            let datagram = one.recv().await.unwrap();
            assert_eq!((&datagram.data[..], datagram.source.ip()), (&b"first"[..], sources[0]));
            assert!(one.try_recv().unwrap().is_none());
        }
    });
}

/// Whatever the kernel would choose, which is the first; an address that the socket is bound to wins.
#[test]
#[ignore = "needs root: makes network namespaces"]
fn an_interface_named_by_its_address_is_where_multicast_comes_from() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        for group in [GROUP_V4, GROUP_V6] {
            let there = hosts.on(Host::There, || receiver(group));
            there.join(group, &link()).unwrap();
            hosts.make_known(Host::There, group, 1);
            let [first, second] = hosts.on(Host::Here, || two_addresses(group));
            let any = receiver(group).local_addr().ip();
            let target = SocketAddr::new(group, there.local_addr().port());
            for (bound, named) in [(any, second), (any, first), (first, second), (second, first)] {
                let settings = UdpSocket::builder().bind(SocketAddr::new(bound, 0));
                let here = settings.multicast_interface(Interface::Address(named)).open().unwrap();
                let from = if bound == any { named } else { bound };
                here.send_to(b"alone", target).await.unwrap();
                assert!(here.send_many(&[Outgoing::new(b"many", target)]).await.is_complete());
                assert!(here.send_bulk(target, b"bulkbulk", 4).await.is_complete());
                for text in ["alone", "many", "bulk", "bulk"] {
                    let datagram = there.recv().await.unwrap();
                    assert_eq!(datagram.data, text);
                    assert_eq!(datagram.source, SocketAddr::new(from, here.local_addr().port()));
                }
                // An answer gets there, and unicast goes as ever.
                there
                    .send_to(b"answer", SocketAddr::new(from, here.local_addr().port()))
                    .await
                    .unwrap();
                assert_eq!(here.recv().await.unwrap().data, "answer");
            }
        }
    });
}

/// The kernel would hand out what comes to any interface that anybody joined an IPv6 group on.
#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_group_is_heard_on_the_interfaces_it_was_joined_on_only() {
    with_hosts(async |hosts| {
        let links = [1, 2].map(|link| Interface::Name(format!("link{link}")));
        for link in [1, 2] {
            hosts.connect(link);
        }
        for group in [GROUP_V4, GROUP_V6] {
            for link in [1, 2] {
                hosts.make_known(Host::There, group, link);
            }
            let senders = hosts.on(Host::Here, || {
                [1, 2].map(|link| {
                    let (v4, v6) = Hosts::address(Host::Here, link);
                    let bind = SocketAddr::new(if group.is_ipv4() { v4 } else { v6 }, 0);
                    let by = Interface::Name(format!("link{link}"));
                    UdpSocket::builder().bind(bind).multicast_interface(by).open().unwrap()
                })
            });
            hosts.enter(Host::There);
            // Both are heard by somebody here.
            let all = receiver(group);
            for link in &links {
                all.join(group, link).unwrap();
            }
            let last = receiver(group);
            last.join(group, &links[1]).unwrap();
            // However it is received.
            for way in 0..3 {
                let first = receiver(group);
                first.join(group, &links[0]).unwrap();
                hosts.enter(Host::Here);
                let port = first.local_addr().port();
                for (sender, text) in senders.iter().zip([b"first", b"other"]).rev() {
                    sender.send_to(text, (group, port).into()).await.unwrap();
                }
                hosts.enter(Host::There);
                let mut batch = RecvBatch::new(4, 16);
                let heard = match way {
                    0 => first.recv().await.unwrap().data.to_vec(),
                    1 => {
                        let mut buffer = [0; 5];
                        first.recv_into(&mut buffer).await.unwrap();
                        buffer.to_vec()
                    }
                    _ => {
                        assert_eq!(first.recv_many(&mut batch).await.unwrap(), 1);
                        batch.iter().next().unwrap().data.to_vec()
                    }
                };
                assert_eq!(heard, b"first", "{group}");
                assert_eq!(first.try_recv().unwrap(), None);
            }
            hosts.enter(Host::Here);
            for (receiver, hears_first) in [(&all, true), (&last, false)] {
                let target = (group, receiver.local_addr().port()).into();
                senders[0].send_to(b"first", target).await.unwrap();
                if hears_first {
                    assert_eq!(receiver.recv().await.unwrap().data, "first", "{group}");
                }
                senders[1].send_to(b"other", target).await.unwrap();
                assert_eq!(receiver.recv().await.unwrap().data, "other", "{group}");
                assert_eq!(receiver.try_recv().unwrap(), None, "{group}");
            }
        }
    });
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn sources_that_the_kernel_would_mix_up_are_refused() {
    with_hosts(async |hosts| {
        let [one, other] = [1, 2].map(|link| Interface::Name(format!("link{link}")));
        for link in [1, 2] {
            hosts.connect(link);
        }
        hosts.enter(Host::There);
        let [first, second] = [1, 2].map(|link| Hosts::address(Host::Here, link));
        let of_v4 = receiver(GROUP_V4);
        of_v4.join_source(GROUP_V4, first.0, &one).unwrap();
        of_v4.join_source(GROUP_V4, second.0, &other).unwrap();
        let of_v6 = receiver(GROUP_V6);
        of_v6.join_source(GROUP_V6, first.1, &one).unwrap();
        let is_mixed = |result| matches!(result, Err(JoinError::OtherSources { .. }));
        assert!(is_mixed(of_v6.join_source(GROUP_V6, second.1, &other)));
        assert!(is_mixed(of_v6.join(GROUP_V6, &other)));
        of_v6.join_source(GROUP_V6, first.1, &other).unwrap();
        assert!(is_mixed(of_v6.join_source(GROUP_V6, second.1, &one)));
        of_v6.leave_source(GROUP_V6, first.1, &other).unwrap();
        of_v6.join_source(GROUP_V6, second.1, &one).unwrap();
    });
}

/// Makes groups go by the link where no interface is named: IPv6 has such a route for each link.
fn route_groups() {
    ip(&["route", "replace", "224.0.0.0/4", "dev", "link1"]);
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn an_interface_that_went_away_is_told_and_joined_again_when_it_is_back() {
    with_hosts(async |hosts| {
        for group in [GROUP_V4, GROUP_V6] {
            for (specific, named) in [
                (false, link()),
                (true, link()),
                (false, Interface::Default),
                (true, Interface::Default),
            ] {
                hosts.connect(1);
                hosts.on(Host::There, route_groups);
                let (v4, v6) = Hosts::address(Host::Here, 1);
                let source = if group.is_ipv4() { v4 } else { v6 };
                let wanted = specific.then_some(source);
                let there = hosts.on(Host::There, || receiver(group));
                let join = || match wanted {
                    Some(source) => there.join_source(group, source, &named).unwrap(),
                    None => there.join(group, &named).unwrap(),
                };
                join();
                let old = there.memberships()[0];
                assert_eq!(old.interface, link().index().unwrap());
                let mut events = there.events();
                assert!(matches!(events.recv().await, Some(Event::Bound { .. })));

                // Gone, and another of its name in its place.
                ip(&["link", "del", "link1"]);
                hosts.connect(1);
                hosts.on(Host::There, route_groups);
                let report = there.refresh_memberships();
                let interface = link().index().unwrap();
                let new = Membership { interface, ..old };
                assert_ne!(new, old);
                assert_eq!((&report.rejoined[..], &report.lost[..]), (&[new][..], &[][..]));
                assert_eq!(there.memberships(), [new]);
                let Membership { group, source: wanted, .. } = old;
                let (gone, source_wanted) = (old.interface, wanted);
                assert_eq!(
                    events.recv().await,
                    Some(Event::Left { group, source: source_wanted, interface: gone })
                );
                assert_eq!(
                    events.recv().await,
                    Some(Event::Joined { group, source: source_wanted, interface })
                );
                hosts.make_known(Host::There, group, 1);
                let here = hosts.on(Host::Here, || sender(source));
                let target = SocketAddr::new(group, there.local_addr().port());
                here.send_to(b"again", target).await.unwrap();
                assert_eq!(there.recv().await.unwrap().data, "again");

                // Gone for good; and the sender is told that there is no way.
                hosts.enter(Host::There);
                ip(&["link", "del", "link1"]);
                let report = there.refresh_memberships();
                assert_eq!((&report.rejoined[..], &report.lost[..]), (&[][..], &[new][..]));
                assert_eq!(there.memberships(), []);
                let lost = Event::MembershipLost { group, source: source_wanted, interface };
                loop {
                    match events.recv().await.unwrap() {
                        Event::Received { .. } => {}
                        event => break assert_eq!(event, lost),
                    }
                }
                let error = here.send_to(b"nobody", target).await.unwrap_err();
                assert!(matches!(error, sockets_udp::SendError::Unreachable { .. }), "{error:?}");
            }
        }
    });
}

/// The kernel's bound on groups stands for whatever may keep it from joining.
#[test]
#[ignore = "needs root: makes network namespaces"]
fn an_interface_that_is_back_and_cannot_be_joined_yet_is_tried_again() {
    let groups_allowed = |number: &str| {
        std::fs::write("/proc/sys/net/ipv4/igmp_max_memberships", number).unwrap();
    };
    with_hosts(async move |hosts| {
        hosts.connect(1);
        let there = hosts.on(Host::There, || receiver(GROUP_V4));
        there.join(GROUP_V4, &link()).unwrap();
        let old = there.memberships()[0];
        let mut events = there.events();
        assert!(matches!(events.recv().await, Some(Event::Bound { .. })));

        ip(&["link", "del", "link1"]);
        hosts.connect(1);
        hosts.enter(Host::There);
        groups_allowed("0");
        for _ in 0..2 {
            let report = there.refresh_memberships();
            assert!(report.rejoined.is_empty() && report.lost.is_empty(), "{report:?}");
            let [(membership, error)] = &report.failed[..] else { panic!("{report:?}") };
            assert_eq!(*membership, old);
            assert!(matches!(error, JoinError::Io { .. }), "{error:?}");
            assert_eq!(there.memberships(), [old]);
        }
        groups_allowed("20");
        let report = there.refresh_memberships();
        let new = Membership { interface: link().index().unwrap(), ..old };
        assert_eq!((&report.rejoined[..], report.failed.len()), (&[new][..], 0));
        assert_eq!(there.memberships(), [new]);
        let Membership { group, source, interface } = old;
        assert_eq!(events.recv().await, Some(Event::Left { group, source, interface }));

        // What is to be tried again can be left, and joined by hand.
        for leave in [true, false] {
            hosts.enter(Host::There);
            ip(&["link", "del", "link1"]);
            hosts.connect(1);
            hosts.enter(Host::There);
            groups_allowed("0");
            assert_eq!(there.refresh_memberships().failed.len(), 1);
            groups_allowed("20");
            if leave {
                there.leave(GROUP_V4, &link()).unwrap();
                assert_eq!(there.memberships(), []);
            }
            there.join(GROUP_V4, &link()).unwrap();
            assert_eq!(there.memberships().len(), 1);
            assert!(there.refresh_memberships().failed.is_empty());
        }
    });
}
