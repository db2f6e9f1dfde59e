//! Opening, claiming, closing.

use std::net::SocketAddr;
use std::pin::pin;

use ports_core::{
    ClaimError, ClaimRequest, Holder, PortRange, PortRegistry, SocketState, Transport,
};
use sockets_udp::{BindError, RecvError, SendError, UdpSocket};
use stats::{ErrorKind, Role, SocketStats};

use crate::{V4, V6, assert_waits, keep_for_this_test, on, open};

/// An address of one test's own.
fn own(test: u8) -> [u8; 4] {
    [127, 71, 2, test]
}

fn is_free(registry: &PortRegistry, address: SocketAddr) -> bool {
    registry.is_available(Transport::Udp, address, address.port())
}

#[tokio::test]
async fn the_port_is_claimed_as_long_as_the_socket_is_open() {
    let registry = PortRegistry::new();
    let chosen = on(own(1)).registry(registry.clone()).owner("chosen").open().unwrap();
    let address = chosen.local_addr();
    assert_ne!(address.port(), 0);
    let _kept = keep_for_this_test(address);
    assert!(!is_free(&registry, address));
    chosen.close();
    assert!(is_free(&registry, address));

    // The same port again, by number this time.
    let exact = UdpSocket::builder().bind(address).registry(registry.clone()).open().unwrap();
    assert_eq!(exact.local_addr(), address);
    assert!(!is_free(&registry, address));
    let clone = exact.clone();
    drop(exact);
    assert!(!is_free(&registry, address), "a clone keeps it open");
    drop(clone);
    assert!(is_free(&registry, address));
}

/// The reference's defect 6: a port was released twice.
#[tokio::test]
async fn defect_6_a_claim_is_given_back_once() {
    let registry = PortRegistry::new();
    let first = on(own(2)).registry(registry.clone()).open().unwrap();
    let address = first.local_addr();
    let _kept = keep_for_this_test(address);
    assert!(first.close());
    let second = UdpSocket::builder().bind(address).registry(registry.clone()).open().unwrap();
    assert!(!first.close(), "closed already");
    drop(first);
    assert!(!is_free(&registry, address), "the second socket's claim is untouched");
    drop(second);
    assert!(is_free(&registry, address));
}

/// The reference's defect 2: a port that another program holds was called free.
#[tokio::test]
async fn defect_2_a_port_another_process_holds_is_marked_and_the_claim_given_back() {
    let (registry, stats) = (PortRegistry::new(), SocketStats::new());
    let foreign = std::net::UdpSocket::bind(SocketAddr::from((own(3), 0))).unwrap();
    let address = foreign.local_addr().unwrap();
    let _kept = keep_for_this_test(address);
    let open = || {
        UdpSocket::builder().bind(address).registry(registry.clone()).stats(stats.clone()).open()
    };
    let error = open().unwrap_err();
    assert!(
        matches!(error, BindError::AddressInUse { address: named, .. } if named == address),
        "{error}"
    );
    assert!(matches!(
        registry.check(Transport::Udp, address, address.port()),
        Err(ClaimError::Held { holder: Holder::Foreign { .. }, .. })
    ));
    assert_eq!(stats.snapshot().totals().errors.count(ErrorKind::Bind), 1);

    drop(foreign);
    let socket = open().expect("an old mark does not keep a free port from being bound");
    socket.close();
    assert!(is_free(&registry, address), "the mark is gone");
}

/// The reference's defect 3: one set of ports for both transports.
#[tokio::test]
async fn defect_3_the_same_tcp_port_is_another_port() {
    let registry = PortRegistry::new();
    let socket = on(V4).registry(registry.clone()).open().unwrap();
    let address = socket.local_addr();
    let request = ClaimRequest::new(Transport::Tcp).address(address).exact(address.port());
    assert!(registry.claim(&request).is_ok());
}

#[tokio::test]
async fn a_port_this_program_holds_names_its_holder() {
    let registry = PortRegistry::new();
    let first = on(V4).registry(registry.clone()).owner("first").open().unwrap();
    let second = UdpSocket::builder().bind(first.local_addr()).registry(registry);
    let error = second.open().unwrap_err();
    let BindError::Claim { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("`first`"), "{source}");
}

#[tokio::test]
async fn ports_claimed_but_not_bound_are_not_taken() {
    let registry = PortRegistry::builder().privileged(true).build();
    let every = ClaimRequest::new(Transport::Udp).address(V4).within(PortRange::ALL);
    let claims: Vec<_> = std::iter::from_fn(|| registry.claim(&every).ok()).collect();
    assert!(claims.len() > 65_000);
    let error = on(V4).registry(registry.clone()).open().unwrap_err();
    assert!(matches!(error, BindError::Claim { .. }), "{error}");
    drop(claims);
    assert!(on(V4).registry(registry).open().is_ok());
}

#[tokio::test]
async fn an_address_of_another_machine_cannot_be_bound() {
    // TEST-NET-1 (RFC 5737) is nobody's.
    let error = on([192, 0, 2, 1]).open().unwrap_err();
    assert!(matches!(error, BindError::AddressNotAvailable { .. }), "{error}");
}

#[test]
fn outside_a_runtime_there_is_an_error_and_no_panic() {
    let error = on(V4).open().unwrap_err();
    assert!(matches!(error, BindError::NoRuntime { .. }), "{error}");
}

#[tokio::test]
async fn a_socket_bound_before_is_taken_over() {
    let registry = PortRegistry::new();
    let bound = std::net::UdpSocket::bind((V6, 0)).unwrap();
    let address = bound.local_addr().unwrap();
    let socket = UdpSocket::builder().socket(bound).registry(registry.clone()).open().unwrap();
    assert_eq!(socket.local_addr(), address);
    assert!(!is_free(&registry, address));
    open(V6).send_to(b"x", address).await.unwrap();
    assert_eq!(socket.recv().await.unwrap().data, "x");
}

#[tokio::test]
async fn closing_ends_every_wait_and_frees_the_port_at_once() {
    let socket = open(own(4));
    let _kept = keep_for_this_test(socket.local_addr());
    let (mut first, mut second) = (pin!(socket.recv()), pin!(socket.recv()));
    assert_waits(first.as_mut()).await;
    assert_waits(second.as_mut()).await;
    let mut closed = pin!(socket.closed());
    assert_waits(closed.as_mut()).await;

    // The two that wait are not polled in between, and do not keep the port.
    assert!(socket.close());
    let address = socket.local_addr();
    let reopened = std::net::UdpSocket::bind(address).expect("the port is free");

    assert!(matches!(first.await, Err(RecvError::Closed { local }) if local == address));
    assert!(matches!(second.await, Err(RecvError::Closed { .. })));
    closed.await;
    drop(reopened);
}

#[tokio::test]
async fn a_closed_socket_says_so() {
    let socket = open(V4);
    assert_eq!(socket.info().state(), SocketState::Bound);
    assert_eq!(socket.info().to_string(), format!("udp {} (bound)", socket.local_addr()));
    socket.close();
    assert_eq!(socket.info().state(), SocketState::Closed);
    assert!(socket.is_closed());
    let target = SocketAddr::new(V4, 9);
    assert!(matches!(socket.send_to(b"x", target).await, Err(SendError::Closed { .. })));
    assert!(matches!(socket.recv().await, Err(RecvError::Closed { .. })));
    assert!(matches!(socket.recv_into(&mut [0; 8]).await, Err(RecvError::Closed { .. })));
    socket.closed().await;
}

/// The reference's defect 12: UDP closes were never recorded.
#[tokio::test]
async fn defect_12_opens_and_closes_are_counted() {
    let stats = SocketStats::new();
    let counters = || stats.snapshot().counters(Transport::Udp, Role::Peer);
    let closed = on(V4).stats(stats.clone()).open().unwrap();
    let dropped = on(V4).stats(stats.clone()).open().unwrap();
    assert_eq!((counters().active, counters().opened, counters().closed), (2, 2, 0));
    closed.close();
    closed.close();
    assert_eq!((counters().active, counters().opened, counters().closed), (1, 2, 1));
    drop(dropped);
    assert_eq!((counters().active, counters().opened, counters().closed), (0, 2, 2));
}

/// Twice what was asked for, up to twice the system's limit (socket(7)).
#[tokio::test]
async fn buffer_sizes_are_what_the_kernel_gave() {
    let limit = |name: &str| -> usize {
        let text = std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).unwrap();
        text.trim().parse().unwrap()
    };
    let (most_in, most_out) = (limit("rmem_max"), limit("wmem_max"));
    for (asked_in, asked_out) in [(65_536, 32_768), (most_in + 1, most_out + 1), (1, 1)] {
        let bound = std::net::UdpSocket::bind((V4, 0)).unwrap();
        let kernel = bound.try_clone().unwrap();
        let builder = UdpSocket::builder().receive_buffer(asked_in).send_buffer(asked_out);
        let socket = builder.socket(bound).open().unwrap();
        let kernel = socket2::SockRef::from(&kernel);
        assert_eq!(socket.receive_buffer(), kernel.recv_buffer_size().unwrap());
        assert_eq!(socket.send_buffer(), kernel.send_buffer_size().unwrap());
        let at_least = (2 * asked_in.min(most_in), 2 * asked_out.min(most_out));
        assert!(socket.receive_buffer() >= at_least.0 && socket.send_buffer() >= at_least.1);
        if asked_in > most_in {
            assert_eq!((socket.receive_buffer(), socket.send_buffer()), at_least);
        }
    }
}
