//! Datagrams that are longer than the link takes, and bulk between hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sockets_udp::{
    Interface, Outgoing, RecvBatch, SegmentationOffload, SendError, UdpSocket, UdpSocketBuilder,
};

use crate::hosts::{Host, Hosts, ip, with_hosts};

/// Ethernet's, and what it leaves to UDP in IPv4 and IPv6.
const LIMITS: [usize; 2] = [1472, 1452];

/// Settings for a socket of each family on the link.
fn on(host: Host) -> [UdpSocketBuilder; 2] {
    let (v4, v6) = Hosts::address(host, 1);
    [v4, v6].map(|address| UdpSocket::builder().bind(SocketAddr::new(address, 0)))
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn too_long_a_datagram_goes_in_fragments_or_names_the_limit() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        for (family, limit) in LIMITS.into_iter().enumerate() {
            let open = |builder: UdpSocketBuilder| builder.open().unwrap();
            let mut here = hosts.on(Host::Here, || {
                let [a, b] = [on(Host::Here), on(Host::Here)];
                let whole = a.into_iter().nth(family).unwrap().dont_fragment(true);
                vec![open(whole), open(b.into_iter().nth(family).unwrap())]
            });
            let there =
                hosts.on(Host::There, || open(on(Host::There).into_iter().nth(family).unwrap()));
            // Where a socket asks about a path, it asks its own host.
            hosts.enter(Host::Here);
            let (fragmenting, whole) = (here.pop().unwrap(), here.pop().unwrap());
            let data = vec![7; 10_000];
            let target = there.local_addr();

            let error = whole.send_to(&data[..=limit], target).await.unwrap_err();
            let SendError::ExceedsMtu { limit: named, dont_fragment, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!((named, dont_fragment), (Some(limit), true));
            whole.send_to(&data[..limit], target).await.unwrap();
            assert_eq!(there.recv().await.unwrap().data.len(), limit);
            let report = whole.send_bulk(target, &data, 3000).await;
            assert_eq!(report.datagrams, 0);
            assert!(matches!(report.failed, Some(SendError::ExceedsMtu { .. })), "{report:?}");

            fragmenting.send_to(&data, target).await.unwrap();
            assert_eq!(there.recv().await.unwrap().data, data);
            // The kernel cuts into datagrams or into fragments, not both.
            let report = fragmenting.send_bulk(target, &data, 3000).await;
            assert_eq!((report.datagrams, report.bytes, report.segmented), (4, 10_000, 0));
            for chunk in data.chunks(3000) {
                assert_eq!(there.recv().await.unwrap().data, chunk);
            }
            assert_eq!(fragmenting.segmentation_offload(), SegmentationOffload::Available);
            let report = fragmenting.send_bulk(target, &data, 1200).await;
            assert_eq!((report.datagrams, report.segmented), (9, 9));
            for chunk in data.chunks(1200) {
                assert_eq!(there.recv().await.unwrap().data, chunk);
            }
        }
    });
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn too_long_for_a_group_names_the_limit_of_the_interface_it_goes_by() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        hosts.enter(Host::Here);
        for ((group, any), limit) in
            [("239.255.71.1:9", "0.0.0.0:0"), ("[ff15::71]:9", "[::]:0")].into_iter().zip(LIMITS)
        {
            let builder = UdpSocket::builder().bind(any.parse().unwrap()).dont_fragment(true);
            let here = builder.multicast_interface(Interface::from("link1")).open().unwrap();
            let error = here.send_to(&[7; 3000], group.parse().unwrap()).await.unwrap_err();
            let said = format!("the path's MTU of 1500 leaves room for {limit}, and this socket");
            assert!(error.to_string().contains(&said), "{error}");
        }
    });
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn bulk_is_the_same_on_the_other_side_joined_or_not() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        for gro in [false, true] {
            let open = |host| {
                let sockets = on(host).map(|builder| builder.gro(gro).open().unwrap());
                sockets.into_iter()
            };
            let pairs = hosts.on(Host::Here, || open(Host::Here));
            let pairs = pairs.zip(hosts.on(Host::There, || open(Host::There)));
            for (here, there) in pairs {
                let data: Vec<u8> =
                    (0..50_000_u32).map(|byte| (byte ^ (byte >> 8)) as u8).collect();
                let report = here.send_bulk(there.local_addr(), &data, 1200).await;
                assert_eq!((report.datagrams, report.segmented), (42, 42));
                let mut batch = RecvBatch::new(16, RecvBatch::WHOLE);
                let mut chunks = data.chunks(1200);
                let mut left = report.datagrams;
                while left > 0 {
                    left -= there.recv_many(&mut batch).await.unwrap();
                    for datagram in &batch {
                        assert_eq!(datagram.data, chunks.next().unwrap());
                    }
                }
            }
        }
    });
}

/// Over a link whose MTU most of the strides do not fit: the last one short or not, one datagram or
/// many, up to the longest there is.
#[test]
#[ignore = "needs root: makes network namespaces"]
fn bulk_of_any_stride_over_the_link_is_its_chunks() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        let open = |host, gro| on(host).map(|builder| builder.gro(gro).open().unwrap());
        let data: Vec<u8> = (0..65_507_u32).map(|byte| (byte ^ (byte >> 8)) as u8).collect();
        for gro in [false, true] {
            let here = hosts.on(Host::Here, || open(Host::Here, gro));
            let there = hosts.on(Host::There, || open(Host::There, gro));
            // Where a socket asks about a path, it asks its own host.
            hosts.enter(Host::Here);
            for (here, there) in here.iter().zip(&there) {
                let mut runner = TestRunner::deterministic();
                let strides = prop_oneof![
                    prop::sample::select(vec![1200, 1451, 1452, 1453, 1472, 1473, 65_507]),
                    600_usize..10_000,
                ];
                for _ in 0..48 {
                    let stride = strides.new_tree(&mut runner).unwrap().current();
                    let most = (1_usize..=40_000).new_tree(&mut runner).unwrap().current();
                    // Every other one ends with a datagram of the full length.
                    let even = any::<bool>().new_tree(&mut runner).unwrap().current();
                    let count = if even { most.next_multiple_of(stride) } else { most };
                    let data = &data[..count.min(data.len())];
                    let report = here.send_bulk(there.local_addr(), data, stride).await;
                    assert_eq!(report.datagrams, data.len().div_ceil(stride), "of {stride}");
                    for chunk in data.chunks(stride) {
                        assert!(there.recv().await.unwrap().data == chunk, "of {stride}");
                    }
                    assert_eq!(there.kernel_drops(), 0);
                }
                here.send_to(b"", there.local_addr()).await.unwrap();
                assert!(there.recv().await.unwrap().data.is_empty());
            }
        }
    });
}

/// The route leads over the first link, but the datagram is to take the second.
#[test]
#[ignore = "needs root: makes network namespaces"]
fn the_limit_that_is_named_is_of_the_way_that_was_asked_for() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        hosts.connect(2);
        hosts.enter(Host::Here);
        ip(&["link", "set", "link2", "mtu", "1300"]);
        // IPv6 sends nowhere without a route; the one over the first link goes before this one.
        ip(&["-6", "route", "append", "fd71:1::/64", "dev", "link2", "metric", "9999"]);
        let link = Interface::from("link2").index().unwrap();
        for (target, headers) in
            [(Hosts::address(Host::There, 1).0, 28), (Hosts::address(Host::There, 1).1, 48)]
        {
            let any: IpAddr = match target {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let settings = UdpSocket::builder().bind((any, 0).into()).dont_fragment(true);
            let here = settings.open().unwrap();
            let datagram = Outgoing::new(&[7; 2000], (target, 9).into());
            for (datagram, mtu) in [(datagram, 1500), (datagram.interface(link), 1300)] {
                let error = here.send(&datagram).await.unwrap_err();
                let SendError::ExceedsMtu { limit, .. } = error else { panic!("{error:?}") };
                assert_eq!(limit, Some(mtu - headers), "{target}");
            }
        }
    });
}

#[test]
#[ignore = "needs root: makes network namespaces"]
fn a_way_that_is_prohibited_is_no_broadcast() {
    with_hosts(async |hosts| {
        hosts.connect(1);
        hosts.enter(Host::Here);
        ip(&["route", "add", "prohibit", "10.72.0.0/16"]);
        ip(&["route", "add", "prohibit", "fd72::/64"]);
        for (target, any) in [("10.72.0.255:9", "0.0.0.0:0"), ("[fd72::1]:9", "[::]:0")] {
            let here = UdpSocket::builder().bind(any.parse().unwrap()).open().unwrap();
            let error = here.send_to(b"x", target.parse().unwrap()).await.unwrap_err();
            assert!(matches!(error, SendError::Forbidden { .. }), "{error:?}");
        }
        ip(&["route", "add", "blackhole", "10.73.0.0/16"]);
        let here = UdpSocket::builder().open().unwrap();
        let error = here.send_to(b"x", "10.73.0.1:9".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("a `blackhole` route leads there"), "{error}");
        let error = here.send_to(b"x", "10.71.1.255:9".parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, SendError::BroadcastNotEnabled { .. }), "{error:?}");
    });
}
