//! Multicast on the loopback interface only, with a TTL of 0.
//!
//! Linux gives `lo` no route for IPv6 multicast, so that nothing can be sent there; the tests that
//! need one are ignored. To run them in a network namespace that has it, as root:
//!
//! ```text
//! unshare --net sh -c 'ip link set lo up; ip -6 route add local ff00::/8 dev lo table local; \
//!     cargo test -p sockets-udp --test loopback -- --include-ignored multicast'
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, SockRef, Socket, Type};
use sockets_udp::{Event, Interface, JoinError, LeaveError, Membership, UdpSocket};

use crate::{V4, V6, on, open};

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// Administratively scoped (RFC 2365).
const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 71, 1));
/// Interface-local, transient (RFC 4291 section 2.7).
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff11, 0, 0, 0, 0, 0, 0, 0x4701));

fn lo() -> Interface {
    Interface::from("lo")
}

fn sender(address: IpAddr) -> UdpSocket {
    on(address).multicast_interface(lo()).multicast_ttl(0).open().unwrap()
}

/// Two sockets on one port, as two programs that listen to one group have them.
fn two_receivers(address: IpAddr) -> (UdpSocket, UdpSocket) {
    let first = on(address).reuse_address(true).open().unwrap();
    let second = UdpSocket::builder().bind(first.local_addr()).reuse_address(true).open().unwrap();
    (first, second)
}

async fn every_member_gets_what_is_sent(any: IpAddr, own: IpAddr, group: IpAddr) {
    let (first, second) = two_receivers(any);
    for receiver in [&first, &second] {
        receiver.join(group, &lo()).unwrap();
    }
    let sender = sender(own);
    let target = SocketAddr::new(group, first.local_addr().port());
    sender.send_to(b"to the group", target).await.unwrap();
    for receiver in [&first, &second] {
        let datagram = receiver.recv().await.unwrap();
        assert_eq!(datagram.data, "to the group");
        assert_eq!(datagram.source, sender.local_addr());
    }
}

#[tokio::test]
async fn every_member_gets_what_is_sent_to_the_group() {
    every_member_gets_what_is_sent(ANY_V4, V4, GROUP_V4).await;
}

#[tokio::test]
#[ignore = "needs a route for IPv6 multicast on lo: see the top of this file"]
async fn every_member_gets_what_is_sent_to_the_ipv6_group() {
    every_member_gets_what_is_sent(ANY_V6, V6, GROUP_V6).await;
}

/// What is sent to the group after leaving must not come: the unicast datagram sent after it does.
async fn who_has_left_gets_nothing(any: IpAddr, own: IpAddr, group: IpAddr) {
    let (receiver, sender) = (open(any), sender(own));
    let port = receiver.local_addr().port();
    receiver.join(group, &lo()).unwrap();
    sender.send_to(b"member", (group, port).into()).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().data, "member");
    receiver.leave(group, &lo()).unwrap();
    sender.send_to(b"no member", (group, port).into()).await.unwrap();
    sender.send_to(b"unicast", (own, port).into()).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().data, "unicast");
}

#[tokio::test]
async fn who_has_left_gets_nothing_more() {
    who_has_left_gets_nothing(ANY_V4, V4, GROUP_V4).await;
}

#[tokio::test]
#[ignore = "needs a route for IPv6 multicast on lo: see the top of this file"]
async fn who_has_left_gets_nothing_more_of_an_ipv6_group() {
    who_has_left_gets_nothing(ANY_V6, V6, GROUP_V6).await;
}

async fn a_group_of_others_is_not_received(any: IpAddr, own: IpAddr, group: IpAddr) {
    let (bystander, member, sender) = (open(any), open(any), sender(own));
    member.join(group, &lo()).unwrap();
    let port = bystander.local_addr().port();
    sender.send_to(b"not for you", (group, port).into()).await.unwrap();
    sender.send_to(b"unicast", (own, port).into()).await.unwrap();
    assert_eq!(bystander.recv().await.unwrap().data, "unicast");
}

#[tokio::test]
async fn a_group_another_socket_joined_is_not_received() {
    a_group_of_others_is_not_received(ANY_V4, V4, GROUP_V4).await;
}

#[tokio::test]
#[ignore = "needs a route for IPv6 multicast on lo: see the top of this file"]
async fn an_ipv6_group_another_socket_joined_is_not_received() {
    a_group_of_others_is_not_received(ANY_V6, V6, GROUP_V6).await;
}

#[tokio::test]
async fn a_dual_stack_socket_joins_groups_of_both_families() {
    let receiver = open(ANY_V6);
    let index = lo().index().unwrap();
    for group in [GROUP_V4, GROUP_V6] {
        receiver.join(group, &lo()).unwrap();
        assert!(matches!(receiver.join(group, &lo()), Err(JoinError::AlreadyJoined { .. })));
    }
    let joined =
        [GROUP_V4, GROUP_V6].map(|group| Membership { group, source: None, interface: index });
    assert_eq!(receiver.memberships(), joined);

    let target = SocketAddr::new(GROUP_V4, receiver.local_addr().port());
    sender(V4).send_to(b"x", target).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().data, "x");

    receiver.leave(GROUP_V6, &lo()).unwrap();
    assert!(matches!(receiver.leave(GROUP_V6, &lo()), Err(LeaveError::NotJoined { .. })));
    assert_eq!(receiver.memberships(), joined[..1]);
}

#[tokio::test]
async fn a_socket_bound_to_the_group_is_a_member_like_any_other() {
    let receiver = open(GROUP_V4);
    receiver.join(GROUP_V4, &lo()).unwrap();
    sender(V4).send_to(b"x", receiver.local_addr()).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().data, "x");
}

/// Read back from the kernel, through another descriptor of the same socket: on `lo` the loop makes
/// no difference, since what is sent there comes back anyway.
#[tokio::test]
async fn the_settings_reach_the_kernel() {
    let bound = std::net::UdpSocket::bind((V4, 0)).unwrap();
    let probe = bound.try_clone().unwrap();
    let settings = UdpSocket::builder().multicast_ttl(7).multicast_loop(false).broadcast(true);
    let _socket = settings.socket(bound).open().unwrap();
    assert_eq!(probe.multicast_ttl_v4().unwrap(), 7);
    assert!(!probe.multicast_loop_v4().unwrap());
    assert!(probe.broadcast().unwrap());
    assert!(!SockRef::from(&probe).multicast_all_v4().unwrap());

    let bound = std::net::UdpSocket::bind((V6, 0)).unwrap();
    let probe = bound.try_clone().unwrap();
    let settings = UdpSocket::builder().multicast_ttl(7).multicast_loop(false);
    let _socket = settings.socket(bound).open().unwrap();
    assert!(!probe.multicast_loop_v6().unwrap());
    assert!(!probe.broadcast().unwrap());
    let kernel = SockRef::from(&probe);
    assert_eq!(kernel.multicast_hops_v6().unwrap(), 7);
    assert!(!kernel.multicast_all_v6().unwrap());

    let bound = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
    bound.set_only_v6(false).unwrap();
    bound.bind(&SocketAddr::new(ANY_V6, 0).into()).unwrap();
    let bound = std::net::UdpSocket::from(bound);
    let probe = bound.try_clone().unwrap();
    let _both = UdpSocket::builder().multicast_ttl(7).socket(bound).open().unwrap();
    let kernel = SockRef::from(&probe);
    let hops = (kernel.multicast_ttl_v4().unwrap(), kernel.multicast_hops_v6().unwrap());
    let all = (kernel.multicast_all_v4().unwrap(), kernel.multicast_all_v6().unwrap());
    assert_eq!((hops, all), ((7, 7), (false, false)));
}

#[tokio::test]
async fn an_interface_named_by_its_address_is_sent_from_by_that_address() {
    for (interface, from) in [(Interface::from(V4), "127.0.0.1"), (lo(), "0.0.0.0")] {
        let bound = std::net::UdpSocket::bind((ANY_V4, 0)).unwrap();
        let probe = bound.try_clone().unwrap();
        let builder = UdpSocket::builder().multicast_interface(interface);
        let _socket = builder.socket(bound).open().unwrap();
        let told = SockRef::from(&probe).multicast_if_v4().unwrap();
        assert_eq!(told, from.parse::<Ipv4Addr>().unwrap());
    }
}

#[tokio::test]
async fn memberships_are_listed_by_index_and_told_as_events() {
    let socket = open(ANY_V4);
    let mut events = socket.events();
    let index = lo().index().unwrap();
    let membership = Membership { group: GROUP_V4, source: None, interface: index };
    socket.join(GROUP_V4, &lo()).unwrap();
    assert_eq!(socket.memberships(), [membership]);
    // The same interface under another name.
    socket.leave(GROUP_V4, &Interface::from(V4)).unwrap();
    assert_eq!(socket.memberships(), []);

    assert_eq!(events.recv().await, Some(Event::Bound { local: socket.local_addr() }));
    let (group, source, interface) = (GROUP_V4, None, index);
    assert_eq!(events.recv().await, Some(Event::Joined { group, source, interface }));
    assert_eq!(events.recv().await, Some(Event::Left { group, source, interface }));
}

#[tokio::test]
async fn what_cannot_be_joined_or_left_is_named() {
    let stats = stats::SocketStats::new();
    let socket = on(ANY_V4).stats(stats.clone()).open().unwrap();
    let error = socket.join(V4, &lo()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot join 127.0.0.1 on interface `lo`: not a multicast address"
    );
    let error = socket.join(GROUP_V6, &lo()).unwrap_err();
    assert!(matches!(error, JoinError::FamilyMismatch { .. }), "{error}");
    let error = socket.join(GROUP_V4, &Interface::from("nope0")).unwrap_err();
    assert!(matches!(error, JoinError::Interface { .. }), "{error}");
    let error = socket.leave(GROUP_V4, &lo()).unwrap_err();
    assert!(matches!(error, LeaveError::NotJoined { .. }), "{error}");
    socket.join(GROUP_V4, &lo()).unwrap();
    let error = socket.join(GROUP_V4, &lo()).unwrap_err();
    assert_eq!(error.to_string(), "cannot join 239.255.71.1 on interface `lo`: joined already");
    assert_eq!(socket.memberships().len(), 1);
    let counted = stats.snapshot().totals().errors;
    assert_eq!(counted.count(stats::ErrorKind::Multicast), 5);
}

#[tokio::test]
async fn a_socket_that_would_hear_nothing_may_not_join() {
    let socket = open(V4);
    let error = socket.join(GROUP_V4, &lo()).unwrap_err();
    assert!(matches!(error, JoinError::BoundElsewhere { .. }), "{error}");
    assert!(error.to_string().contains("bind to the wildcard"), "says what to do: {error}");
}

#[tokio::test]
async fn a_closed_socket_is_in_no_group() {
    let socket = open(ANY_V4);
    socket.join(GROUP_V4, &lo()).unwrap();
    socket.close();
    assert_eq!(socket.memberships(), []);
    assert!(matches!(socket.join(GROUP_V4, &lo()), Err(JoinError::Closed { .. })));
    assert!(matches!(socket.leave(GROUP_V4, &lo()), Err(LeaveError::Closed { .. })));
}

#[tokio::test]
async fn an_unknown_interface_to_send_from_is_an_error_of_opening() {
    let error = on(V4).multicast_interface(Interface::Index(u32::MAX)).open().unwrap_err();
    assert!(matches!(error, sockets_udp::BindError::MulticastInterface { .. }), "{error}");
}

/// The first source is heard, the second only while it is joined, too.
async fn only_joined_sources_are_heard(any: IpAddr, own: [IpAddr; 2], group: IpAddr) {
    let receiver = open(any);
    let target = SocketAddr::new(group, receiver.local_addr().port());
    let [first, second] = own.map(sender);
    receiver.join_source(group, own[0], &lo()).unwrap();
    second.send_to(b"not joined", target).await.unwrap();
    first.send_to(b"1", target).await.unwrap();
    let datagram = receiver.recv().await.unwrap();
    assert_eq!((&datagram.data[..], datagram.source), (&b"1"[..], first.local_addr()));
    assert_eq!(datagram.destination, Some(group));
    assert_eq!(datagram.interface, lo().index().unwrap());

    receiver.join_source(group, own[1], &lo()).unwrap();
    second.send_to(b"2", target).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().data, "2");

    receiver.leave_source(group, own[0], &lo()).unwrap();
    first.send_to(b"left", target).await.unwrap();
    second.send_to(b"3", target).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().data, "3");
}

#[tokio::test]
async fn a_group_joined_for_a_source_is_heard_from_it_only() {
    let other = IpAddr::V4(Ipv4Addr::new(127, 71, 4, 1));
    // Source-specific (RFC 4607).
    let group = IpAddr::V4(Ipv4Addr::new(232, 255, 71, 1));
    only_joined_sources_are_heard(ANY_V4, [V4, other], group).await;
    only_joined_sources_are_heard(ANY_V6, [V4, other], group).await;
}

#[tokio::test]
#[ignore = "needs a route for IPv6 multicast on lo: see the top of this file"]
async fn an_ipv6_group_joined_for_a_source_is_heard_from_it_only() {
    // Source-specific (RFC 4607), of this interface. `lo` has one address: the other is nobody's.
    let group = IpAddr::V6(Ipv6Addr::new(0xff31, 0, 0, 0, 0, 0, 0x8000, 0x4701));
    let (heard, deaf) = (open(ANY_V6), open(ANY_V6));
    let stranger = IpAddr::V6(Ipv6Addr::new(0xfd71, 0, 0, 0, 0, 0, 0, 9));
    heard.join_source(group, V6, &lo()).unwrap();
    deaf.join_source(group, stranger, &lo()).unwrap();
    let sender = sender(V6);
    for receiver in [&heard, &deaf] {
        let port = receiver.local_addr().port();
        sender.send_to(b"to the group", (group, port).into()).await.unwrap();
        sender.send_to(b"unicast", (V6, port).into()).await.unwrap();
    }
    assert_eq!(heard.recv().await.unwrap().data, "to the group");
    assert_eq!(deaf.recv().await.unwrap().data, "unicast");
}

#[tokio::test]
async fn memberships_for_one_and_for_every_source_are_not_mixed() {
    let socket = open(ANY_V6);
    let mut events = socket.events();
    let interface = lo().index().unwrap();
    let other = IpAddr::V4(Ipv4Addr::new(127, 71, 4, 1));
    for (group, own) in [(GROUP_V4, V4), (GROUP_V6, V6)] {
        socket.join_source(group, own, &lo()).unwrap();
        for error in [
            socket.join_source(group, own, &lo()).unwrap_err(),
            socket.join(group, &lo()).unwrap_err(),
        ] {
            assert!(matches!(error, JoinError::AlreadyJoined { .. }), "{error}");
        }
        assert_eq!(socket.memberships(), [Membership { group, source: Some(own), interface }]);
        let error = socket.leave(group, &lo()).unwrap_err();
        assert!(matches!(error, LeaveError::NotJoined { .. }), "{error}");
        socket.leave_source(group, own, &lo()).unwrap();
        let error = socket.leave_source(group, own, &lo()).unwrap_err();
        assert!(matches!(error, LeaveError::NotJoined { .. }), "{error}");
        socket.join(group, &lo()).unwrap();
        let error = socket.join_source(group, own, &lo()).unwrap_err();
        assert!(matches!(error, JoinError::AlreadyJoined { .. }), "{error}");
        socket.leave(group, &lo()).unwrap();
    }
    socket.join_source(GROUP_V4, other, &lo()).unwrap();
    assert!(matches!(events.recv().await, Some(Event::Bound { .. })));
    let (group, source) = (GROUP_V4, Some(V4));
    assert_eq!(events.recv().await, Some(Event::Joined { group, source, interface }));
    assert_eq!(events.recv().await, Some(Event::Left { group, source, interface }));

    for no_source in [V6, ANY_V4, GROUP_V4, IpAddr::V4(Ipv4Addr::BROADCAST)] {
        let error = socket.join_source(GROUP_V4, no_source, &lo()).unwrap_err();
        assert!(matches!(error, JoinError::NotSource { .. }), "{error}");
    }
}

#[tokio::test]
async fn memberships_on_an_interface_that_is_there_stay() {
    let socket = open(ANY_V4);
    socket.join(GROUP_V4, &lo()).unwrap();
    let report = socket.refresh_memberships();
    assert_eq!((report.rejoined.len(), report.lost.len(), report.failed.len()), (0, 0, 0));
    assert_eq!(socket.memberships().len(), 1);
}
