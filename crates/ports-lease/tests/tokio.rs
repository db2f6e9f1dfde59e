//! Leases in a tokio program.
#![cfg(all(target_os = "linux", feature = "tokio"))]

use std::net::Ipv4Addr;

use ports_lease::{Family, PoolError, Request, bind_on_pool, lease_on_pool};
use tokio::net::{TcpStream, UdpSocket};

#[tokio::test]
async fn sockets_serve_as_tokios() {
    let request = Request::tcp_and_udp().within("2400-2419".parse().unwrap());
    let bound = bind_on_pool(request.loopback().family(Family::Ipv4)).await.unwrap();
    let (listeners, sockets, lease) = bound.into_tokio().unwrap();
    let address = (Ipv4Addr::LOCALHOST, lease.number());
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listeners[0].accept());
    let (client, (accepted, from)) = (client.unwrap(), accepted.unwrap());
    assert_eq!(client.local_addr().unwrap(), from);
    // Or the port would be in TIME_WAIT then, and the range be used up by the next runs.
    accepted.set_zero_linger().unwrap();

    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    sender.send_to(b"datagram", address).await.unwrap();
    let mut buffer = [0; 16];
    let (length, from) = sockets[0].recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..length], from), (&b"datagram"[..], sender.local_addr().unwrap()));
}

#[tokio::test]
async fn what_cannot_be_leased_is_said() {
    let held = lease_on_pool(Request::tcp().within("2420-2439".parse().unwrap())).await.unwrap();
    let again = lease_on_pool(Request::tcp().exact(held.port())).await;
    assert!(matches!(again, Err(PoolError::Lease(_))), "{again:?}");
}
