//! How a client gets its connection: several addresses, from where, with which options, or not.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use sockets_tcp::{
    ClientEvent, ClientRecvError, ConnectError, Keepalive, Reconnect, Target, TcpClient,
};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::clock::stop_clock;
use crate::support::{HANG, any_port, pair, reserved, reset, rest, wait};

/// Enough for an address that refuses to be told so, and too little for one that never answers.
const BRIEF: Duration = Duration::from_secs(1);

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The address the client is connected to.
async fn peer_of(client: &TcpClient) -> SocketAddr {
    wait(&mut client.events(), |event| match event {
        ClientEvent::Connected { peer, .. } => Some(*peer),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn dead_addresses_before_a_good_one_are_passed_over() {
    let ((_one, first), (_two, second)) = (reserved(), reserved());
    let (_listener, good) = listen().await;
    let client = TcpClient::builder(vec![first, second, good]).connect().await.unwrap();
    assert_eq!(peer_of(&client).await, good);
    let errors = client.stats().snapshot().totals().errors;
    assert_eq!(errors.count(stats::ErrorKind::Connect), 0, "the try as a whole did not fail");
}

/// Whoever accepted it must not take it for one that ended, wherever it was given up.
#[tokio::test]
async fn a_connect_that_is_given_up_is_a_reset() {
    const TURNS: usize = 8;
    let listener = std::net::TcpListener::bind(any_port()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let mut accepted = 0;
    for turns in 0..TURNS {
        let mut connecting = Box::pin(TcpClient::builder(address).connect());
        let begun = poll_fn(|context| Poll::Ready(connecting.as_mut().poll(context))).await;
        assert!(begun.is_pending());
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        drop(connecting);
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let Ok((peer, _)) = listener.accept() else { continue };
        accepted += 1;
        peer.set_nonblocking(true).unwrap();
        let mut peer = TcpStream::from_std(peer).unwrap();
        let read = timeout(HANG, peer.read(&mut [0; 8])).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset, "after {turns} turns");
    }
    assert!(accepted > 0);
}

/// A delay that does not end within the test: only a failure may bring the next address.
#[tokio::test]
async fn a_failure_brings_the_next_address_at_once() {
    let (_refuses, refused) = reserved();
    let (_listener, good) = listen().await;
    let _clock = stop_clock();
    let began = tokio::time::Instant::now();
    let client = TcpClient::builder(vec![refused, good]).connect().await.unwrap();
    assert_eq!(peer_of(&client).await, good);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_does_not_answer_is_overtaken() {
    let (_held, silent) = crate::support::silent();
    let (_listener, good) = listen().await;
    let builder = TcpClient::builder(vec![silent, good]).connect_timeout(HANG);
    let client = builder.attempt_delay(Duration::ZERO).connect().await.unwrap();
    assert_eq!(peer_of(&client).await, good);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_error_names_every_address_with_its_cause() {
    let (_held, silent) = crate::support::silent();
    let (_refuses, refused) = reserved();
    let builder = TcpClient::builder(vec![refused, silent]).connect_timeout(BRIEF);
    let error = builder.connect().await.unwrap_err();
    let text = error.to_string();
    let ConnectError::AllFailed { failures, untried, .. } = error else { panic!("{text}") };
    let [ConnectError::Refused { address, .. }, ConnectError::TimedOut { target, .. }] =
        &failures[..]
    else {
        panic!("{failures:?}")
    };
    assert_eq!((*address, target), (refused, &Target::from(silent)));
    assert_eq!(untried, []);
    assert!(text.contains(&format!("{refused}: refused")), "{text}");
    assert!(text.contains(&format!("{silent}: no answer")), "{text}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_timeout_covers_all_addresses_and_those_not_tried_are_named() {
    let (_held, silent) = crate::support::silent();
    let (_listener, late) = listen().await;
    let builder = TcpClient::builder(vec![silent, late]).attempt_delay(Duration::from_secs(2));
    let error = builder.connect_timeout(BRIEF).connect().await.unwrap_err();
    let ConnectError::AllFailed { failures, untried, .. } = &error else { panic!("{error}") };
    assert!(matches!(failures[..], [ConnectError::TimedOut { .. }]), "{failures:?}");
    assert_eq!(*untried, [late]);
    assert!(error.to_string().contains(&format!("not tried: {late}")), "{error}");
}

#[tokio::test]
async fn no_address_at_all_is_an_error() {
    let error = TcpClient::builder(Vec::new()).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NoAddress { .. }), "{error}");
}

#[tokio::test]
async fn the_source_address_is_kept_and_chooses_the_family() {
    let (listener, address) = listen().await;
    let source: IpAddr = "127.0.0.2".parse().unwrap();
    let six = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port()));
    let connecting = TcpClient::builder(vec![six, address]).source(source).connect();
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    assert_eq!(peer_of(&client.unwrap()).await, address);
    assert_eq!(accepted.unwrap().1.ip(), source);
}

#[tokio::test]
async fn a_source_that_is_not_ours_is_a_local_failure() {
    let (_listener, address) = listen().await;
    // TEST-NET-1 (RFC 5737): no machine has it.
    let builder = TcpClient::builder(address).source("192.0.2.1".parse().unwrap());
    let error = builder.connect().await.unwrap_err();
    let ConnectError::Source { .. } = error else { panic!("{error}") };
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_interface_is_kept_and_one_that_is_not_there_is_a_local_failure() {
    let (_listener, address) = listen().await;
    let client = TcpClient::builder(address).interface("lo").connect().await.unwrap();
    assert_eq!(peer_of(&client).await, address);
    let error = TcpClient::builder(address).interface("no-such-link").connect().await.unwrap_err();
    let ConnectError::Interface { .. } = error else { panic!("{error}") };
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernels_numbers_are_there_while_there_is_a_connection() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let keepalive = Keepalive::new().idle(Duration::from_secs(5));
    let (client, peer) = pair(&listener, |builder| builder.keepalive(keepalive)).await;
    assert!(client.tcp_info().unwrap().rtt > Duration::ZERO);
    drop(peer);
    client.close().await;
    assert_eq!(client.tcp_info(), None);
}

/// The window is closed, and its probes are answered: the kernel by itself would wait on.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_takes_nothing_is_given_up_after_the_user_timeout() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, _stalled) = pair(&listener, |builder| {
        builder.user_timeout(Duration::from_millis(100)).queue_bytes(64 << 20)
    })
    .await;
    let mut events = client.events();
    client.send(vec![0; 64 << 20].into()).await.unwrap();
    let failure = wait(&mut events, |event| match event {
        ClientEvent::Error { failure } => Some(failure.clone()),
        _ => None,
    })
    .await;
    assert_eq!(failure.kind(), Some(std::io::ErrorKind::TimedOut));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn defect_1_a_close_while_it_connects_is_final_too() {
    let (_held, silent) = crate::support::silent();
    let builder = TcpClient::builder(vec![silent, silent]).connect_timeout(HANG);
    let client = builder.reconnect(Reconnect::new().unlimited()).start();
    let mut events = client.events();
    tokio::task::yield_now().await;
    client.close().await;
    assert_eq!(rest(&mut events).await, [ClientEvent::Closed]);
    let error = client.recv().await.unwrap_err();
    assert!(matches!(error, ClientRecvError::Closed { .. }), "{error}");
}

#[tokio::test]
async fn a_reset_in_any_phase_is_come_back_from() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let quick = Reconnect::new().base(Duration::from_millis(1)).cap(Duration::from_millis(2));
    let client = TcpClient::builder(listener.local_addr().unwrap())
        .reconnect(quick.unlimited().seed(1))
        .start();
    let mut events = client.events();
    // At once; after it has sent; after it was sent something.
    for phase in 0..3 {
        let (peer, _) = listener.accept().await.unwrap();
        wait(&mut events, |event| matches!(event, ClientEvent::Connected { .. }).then_some(()))
            .await;
        match phase {
            0 => {}
            1 => client.send("x".into()).await.unwrap(),
            _ => {
                peer.writable().await.unwrap();
                peer.try_write(b"y").unwrap();
                assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"y"[..]));
            }
        }
        reset(peer);
        let reason = wait(&mut events, |event| match event {
            ClientEvent::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        })
        .await;
        assert_eq!(reason, sockets_tcp::CloseReason::Reset, "phase {phase}");
        let error = client.recv().await.unwrap_err();
        assert!(matches!(error, ClientRecvError::Broken { .. }), "phase {phase}: {error}");
    }
    let (_peer, _) = listener.accept().await.unwrap();
}
