//! Where a datagram was sent to, and answers that come from there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};

use sockets_udp::{Echo, Interface, RecvBatch, SendError};

use crate::{V4, V6, on, open};

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 71, 3, 1));
const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[tokio::test]
async fn a_datagram_tells_its_destination_and_interface() {
    let lo = Interface::from("lo").index().unwrap();
    for (any, addresses) in [(ANY_V4, &[V4, OTHER][..]), (ANY_V6, &[V4, OTHER, V6])] {
        let there = open(any);
        let port = there.local_addr().port();
        for address in addresses.iter().copied() {
            let here = open(if address.is_ipv4() { V4 } else { V6 });
            for _ in 0..3 {
                here.send_to(b"x", (address, port).into()).await.unwrap();
            }
            let datagram = there.recv().await.unwrap();
            assert_eq!((datagram.destination, datagram.local), (Some(address), Some(address)));
            assert_eq!((datagram.interface, datagram.source), (lo, here.local_addr()));
            let received = there.recv_into(&mut [0]).await.unwrap();
            assert_eq!((received.destination, received.local), (Some(address), Some(address)));
            assert_eq!(received.interface, lo);
            let mut batch = RecvBatch::new(1, 16);
            there.recv_many(&mut batch).await.unwrap();
            let datagram = batch.iter().next().unwrap();
            assert_eq!((datagram.destination, datagram.local), (Some(address), Some(address)));
            assert_eq!((datagram.interface, datagram.source), (lo, here.local_addr()));
        }
    }
}

#[tokio::test]
async fn an_answer_to_a_broadcast_comes_from_an_address_of_the_interface() {
    for any in [ANY_V4, ANY_V6] {
        let there = open(any);
        let here = on(V4).broadcast(true).open().unwrap();
        let everybody = Ipv4Addr::new(127, 255, 255, 255);
        let target = SocketAddrV4::new(everybody, there.local_addr().port());
        here.broadcast_to(b"x", target).await.unwrap();
        let datagram = there.recv().await.unwrap();
        assert_eq!(datagram.destination, Some(everybody.into()));
        assert_eq!(datagram.local, Some(V4));
    }
}

#[tokio::test]
async fn a_datagram_is_sent_from_the_address_asked_for() {
    for any in [ANY_V4, ANY_V6] {
        let (here, there) = (open(any), open(V4));
        here.send_from(b"x", there.local_addr(), OTHER).await.unwrap();
        let datagram = there.recv().await.unwrap();
        assert_eq!(datagram.source, (OTHER, here.local_addr().port()).into());
    }
    let (here, there) = (open(ANY_V6), open(V6));
    here.send_from(b"x", there.local_addr(), V6).await.unwrap();
    assert_eq!(there.recv().await.unwrap().source.ip(), V6);
}

#[tokio::test]
async fn an_address_that_is_not_here_is_named() {
    let there = open(V4);
    let foreign = IpAddr::from([192, 0, 2, 1]);
    for any in [ANY_V4, ANY_V6] {
        let error = open(any).send_from(b"x", there.local_addr(), foreign).await.unwrap_err();
        assert!(
            matches!(error, SendError::SourceNotAvailable { from, .. } if from == foreign),
            "{error:?}"
        );
    }
    let foreign = "2001:db8::1".parse().unwrap();
    let error = open(ANY_V6).send_from(b"x", (V6, 9).into(), foreign).await.unwrap_err();
    assert!(matches!(error, SendError::SourceNotAvailable { .. }), "{error:?}");
    let error = open(ANY_V6).send_from(b"x", (V6, 9).into(), V4).await.unwrap_err();
    assert!(matches!(error, SendError::FamilyMismatch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_service_answers_from_where_it_was_asked() {
    for any in [ANY_V4, ANY_V6] {
        let server = open(any);
        let service = server.clone();
        let serving = tokio::spawn(async move { service.serve(Echo::new()).await });
        let client = open(V4);
        let asked = (OTHER, server.local_addr().port()).into();
        client.send_to(b"x", asked).await.unwrap();
        assert_eq!(client.recv().await.unwrap().source, asked);
        server.close();
        assert_eq!(serving.await.unwrap().unwrap().answered, 1);
    }
}

#[tokio::test]
async fn the_way_back_begins_at_the_address_that_was_asked() {
    for (any, addresses) in [(ANY_V4, &[V4, OTHER][..]), (ANY_V6, &[V4, OTHER, V6])] {
        let server = open(any);
        let port = server.local_addr().port();
        let mut batch = RecvBatch::new(1, 16);
        for address in addresses.iter().copied() {
            let client = open(if address.is_ipv4() { V4 } else { V6 });
            let asked = (address, port).into();
            for _ in 0..3 {
                client.send_to(b"?", asked).await.unwrap();
            }
            let path = server.recv().await.unwrap().return_path();
            assert_eq!((path.peer(), path.local()), (client.local_addr(), Some(address)));
            assert_eq!(path.interface(), 0);
            assert_eq!(server.recv_into(&mut [0; 16]).await.unwrap().return_path(), path);
            server.recv_many(&mut batch).await.unwrap();
            assert_eq!(batch.iter().next().unwrap().return_path(), path);

            server.send_back(b"!", &path).await.unwrap();
            assert!(server.send_many(&[path.answer(b"!"); 2]).await.is_complete());
            for _ in 0..3 {
                let answer = client.recv().await.unwrap();
                assert_eq!((&answer.data[..], answer.source), (&b"!"[..], asked));
            }
        }
    }
}
