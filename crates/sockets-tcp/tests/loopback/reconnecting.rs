//! A client that comes back: when, how often, and after what not.

use std::time::Duration;

use bytes::Bytes;
use ports_core::SocketState;
use sockets_tcp::{
    ClientEvent, ClientRecvError, ClientSendError, CloseReason, ConnectError, Echo, Events,
    Operation, Reconnect, TcpClient, TcpServer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{HANG, any_port, reserved, rest, server, wait};

fn quick() -> Reconnect {
    Reconnect::new()
        .base(Duration::from_millis(1))
        .cap(Duration::from_millis(2))
        .stable_after(Duration::ZERO)
        .seed(1)
}

async fn connected(events: &mut Events<ClientEvent>) {
    wait(events, |event| matches!(event, ClientEvent::Connected { .. }).then_some(())).await;
}

#[tokio::test]
async fn defect_5_a_lost_connection_is_made_again_and_the_count_begins_anew() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let builder = TcpClient::builder(listener.local_addr().unwrap()).reconnect(quick().limit(1));
    let client = builder.start();
    let mut events = client.events();
    for round in 0..3_u8 {
        let (mut peer, _) = listener.accept().await.unwrap();
        connected(&mut events).await;
        peer.write_all(&[round]).await.unwrap();
        assert_eq!(client.recv().await.unwrap().as_deref(), Some(&[round][..]));
        drop(peer);
        let error = client.recv().await.unwrap_err();
        assert!(matches!(error, ClientRecvError::Ended { .. }), "a seam shows: {error}");
        let attempt = wait(&mut events, |event| match event {
            ClientEvent::Reconnecting { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .await;
        assert_eq!(attempt, 1, "with a limit of one try, the third round needs a new count");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_kernel_held_for_a_lost_connection_is_told_at_the_end() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    socket2::SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let client =
        TcpClient::builder(listener.local_addr().unwrap()).reconnect(quick().unlimited()).start();
    let mut events = client.events();
    let (first, _) = listener.accept().await.unwrap();
    connected(&mut events).await;
    // More than its window.
    client.send(Bytes::from(vec![7; 256 * 1024])).await.unwrap();
    socket2::SockRef::from(&first).set_linger(Some(Duration::ZERO)).unwrap();
    drop(first);
    let (mut second, _) = listener.accept().await.unwrap();
    connected(&mut events).await;
    client.send(Bytes::from_static(b"all of it")).await.unwrap();
    let read = async {
        let mut bytes = Vec::new();
        second.read_to_end(&mut bytes).await.unwrap();
        drop(second);
        bytes
    };
    let (report, bytes) = tokio::join!(client.close(), read);
    assert_eq!(bytes, b"all of it");
    assert_eq!(report.unacknowledged_bytes, 0, "{report:?}");
    assert!((1..256 * 1024 + 1).contains(&report.unacknowledged_before), "{report:?}");
}

#[tokio::test]
async fn the_same_port_served_again_is_found_again() {
    let (_reserved, address) = reserved();
    let serve = || TcpServer::builder().bind(address).handler(Echo::new()).start();
    let first = serve().await.unwrap();
    let client =
        TcpClient::builder(address).reconnect(quick().unlimited()).connect().await.unwrap();
    let mut events = client.events();
    connected(&mut events).await;
    first.shutdown(HANG).await;
    wait(&mut events, |event| matches!(event, ClientEvent::Reconnecting { .. }).then_some(()))
        .await;
    let _second = serve().await.unwrap();
    connected(&mut events).await;
    client.send(Bytes::from_static(b"again")).await.unwrap();
    let error = client.recv().await.unwrap_err();
    assert!(matches!(error, ClientRecvError::Ended { .. }), "a seam shows: {error}");
    assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"again"[..]));
}

#[tokio::test]
async fn defect_1_after_a_deliberate_close_nothing_reconnects() {
    let server = server(Echo::new()).start().await.unwrap();
    let builder = TcpClient::builder(server.local_addr()).reconnect(quick().unlimited());
    let client = builder.connect().await.unwrap();
    let mut events = client.events();
    let report = client.close().await;
    assert_eq!(report.unsent_bytes, 0);
    let events = rest(&mut events).await;
    assert!(
        matches!(
            events[..],
            [
                ClientEvent::Connected { .. },
                ClientEvent::Disconnected { reason: CloseReason::Local, .. },
                ClientEvent::Closed
            ]
        ),
        "{events:?}"
    );
    let error = client.recv().await.unwrap_err();
    assert!(matches!(error, ClientRecvError::Closed { .. }), "the stream had not ended: {error}");
    assert_eq!(server.info().accepted, 1);
    let error = client.send(Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, ClientSendError::Closed { .. }));
}

#[tokio::test]
async fn defect_1_a_close_while_it_waits_to_reconnect_is_final_too() {
    let (_refuses, address) = reserved();
    let slowly = Reconnect::new().base(HANG).cap(HANG).unlimited().seed(3);
    let client = TcpClient::builder(address).reconnect(slowly).start();
    let mut events = client.events();
    wait(&mut events, |event| matches!(event, ClientEvent::Reconnecting { .. }).then_some(()))
        .await;
    let error = client.send(Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, ClientSendError::NotConnected { .. }), "{error:?}");
    client.close().await;
    assert_eq!(rest(&mut events).await, [ClientEvent::Closed]);
    assert_eq!(client.info().state(), SocketState::Closed);
}

#[tokio::test]
async fn the_limit_of_tries_gives_up() {
    let (_refuses, address) = reserved();
    let client = TcpClient::builder(address).reconnect(quick().limit(3)).start();
    let mut events = client.events();
    let error = client.recv().await.unwrap_err();
    assert!(matches!(error, ClientRecvError::Closed { .. }) && error.is_final(), "{error}");
    let events = rest(&mut events).await;
    let attempts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Reconnecting { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    let [.., gave_up, ClientEvent::Closed] = &events[..] else { panic!("{events:?}") };
    let ClientEvent::GaveUp { attempts: 3, permanent: false, failure, .. } = gave_up else {
        panic!("{gave_up:?}")
    };
    assert_eq!(failure.operation(), Operation::Connect);
    assert!(failure.text().contains("refused, nothing listens there"), "{failure}");
    let errors = client.stats().snapshot().totals().errors;
    assert_eq!(errors.count(stats::ErrorKind::Connect), 4);
    let error = TcpClient::builder(address).reconnect(quick().limit(2)).connect().await;
    assert!(matches!(error, Err(ConnectError::Refused { .. })));
}

#[tokio::test]
async fn a_server_that_accepts_and_closes_uses_the_tries_up() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let closing = tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    let brief = Reconnect::new().base(Duration::from_millis(1)).cap(Duration::from_millis(2));
    // However late the end is seen, no connection stood for long.
    let brief = brief.stable_after(HANG).limit(3);
    let client = TcpClient::builder(address).reconnect(brief).start();
    let mut events = client.events();
    let (attempts, failure) = wait(&mut events, |event| match event {
        ClientEvent::GaveUp { attempts, failure, .. } => Some((*attempts, failure.clone())),
        _ => None,
    })
    .await;
    assert_eq!(attempts, 3);
    let told = format!("the connection to {address} was made, and ended: ");
    assert!(failure.text().starts_with(&told), "{failure}");
    assert_eq!(client.stats().snapshot().totals().opened, 4, "the first, and three tries");
    closing.abort();
}
