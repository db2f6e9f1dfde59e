//! Datagrams that are longer than the link takes, and bulk between hosts.

use std::net::SocketAddr;

use sockets_udp::{RecvBatch, SegmentationOffload, SendError, UdpSocket, UdpSocketBuilder};

use crate::hosts::{Host, Hosts, with_hosts};

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
            let error = whole.send_bulk(target, &data, 3000).await.unwrap_err();
            assert_eq!(error.sent.datagrams, 0);
            assert!(matches!(error.source, SendError::ExceedsMtu { .. }), "{:?}", error.source);

            fragmenting.send_to(&data, target).await.unwrap();
            assert_eq!(there.recv().await.unwrap().data, data);
            // The kernel cuts into datagrams or into fragments, not both.
            let report = fragmenting.send_bulk(target, &data, 3000).await.unwrap();
            assert_eq!((report.datagrams, report.bytes, report.segmented), (4, 10_000, 0));
            for chunk in data.chunks(3000) {
                assert_eq!(there.recv().await.unwrap().data, chunk);
            }
            assert_eq!(fragmenting.segmentation_offload(), SegmentationOffload::Available);
            let report = fragmenting.send_bulk(target, &data, 1200).await.unwrap();
            assert_eq!((report.datagrams, report.segmented), (9, 9));
            for chunk in data.chunks(1200) {
                assert_eq!(there.recv().await.unwrap().data, chunk);
            }
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
                let report = here.send_bulk(there.local_addr(), &data, 1200).await.unwrap();
                assert_eq!((report.datagrams, report.segmented), (42, 42));
                let mut batch = RecvBatch::new(16, RecvBatch::WHOLE);
                let mut chunks = data.chunks(1200);
                let mut left = report.datagrams;
                while left > 0 {
                    left -= there.recv_many(&mut batch).await.unwrap();
                    for datagram in batch.iter() {
                        assert_eq!(datagram.data, chunks.next().unwrap());
                    }
                }
            }
        }
    });
}
