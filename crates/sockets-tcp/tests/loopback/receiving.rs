//! What a client receives where streams end, break off, or follow each other.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    ClientEvent, ClientRecvError, ClientSendError, CloseReason, QueuePolicy, Reconnect, TcpClient,
    TcpClientBuilder,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{HANG, any_port, pair, pattern, read_exactly, reset, wait};

fn reconnecting(builder: TcpClientBuilder) -> TcpClientBuilder {
    let quick = Reconnect::new().base(Duration::from_millis(1)).cap(Duration::from_millis(2));
    builder.reconnect(quick.unlimited().seed(1)).linger(Duration::from_millis(20))
}

async fn received(client: &TcpClient) -> Bytes {
    client.recv().await.unwrap().unwrap()
}

/// A client whose queue of reads is full and whose connection is reset: it takes nothing, so that
/// only a write can tell.
async fn blocked(listener: &TcpListener, policy: QueuePolicy) -> TcpClient {
    let set_up = |builder| reconnecting(builder).receive_queue(1).across_reconnect(policy);
    let (client, mut peer) = pair(listener, set_up).await;
    let mut events = client.events();
    peer.write_all(b"first").await.unwrap();
    wait(&mut events, |event| matches!(event, ClientEvent::Data { .. }).then_some(())).await;
    reset(peer);
    client
}

async fn accept(listener: &TcpListener) -> TcpStream {
    tokio::time::timeout(HANG, listener.accept()).await.unwrap().unwrap().0
}

#[tokio::test]
async fn a_failed_connection_is_left_though_nobody_receives() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let client = blocked(&listener, QueuePolicy::Discard).await;
    let mut events = client.events();
    let error = client.send(Bytes::from_static(b"lost")).await.unwrap_err();
    assert!(matches!(error, ClientSendError::NotConnected { .. }));
    let reason = wait(&mut events, |event| match event {
        ClientEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, CloseReason::Reset);
    let mut peer = accept(&listener).await;
    peer.write_all(b"second").await.unwrap();
    assert_eq!(received(&client).await, "first");
    let error = client.recv().await.unwrap_err();
    assert!(matches!(error, ClientRecvError::Broken { .. }), "{error}");
    assert_eq!(received(&client).await, "second");
}

#[tokio::test]
async fn who_sends_and_then_receives_in_one_task_does_not_wait_for_ever() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let client = blocked(&listener, QueuePolicy::Keep).await;
    let sending = async {
        // The first is told of the reset; it waits for the next connection.
        for message in ["one", "two"] {
            client.send(message.into()).await.unwrap();
        }
    };
    tokio::time::timeout(HANG, sending).await.unwrap();
    let mut peer = accept(&listener).await;
    assert_eq!(read_exactly(&mut peer, 6).await, b"onetwo");
    assert_eq!(received(&client).await, "first");
}

/// Connections come and go while nobody receives: their ends take no room from each other.
#[tokio::test]
async fn streams_that_brought_nothing_leave_no_seams() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let client = blocked(&listener, QueuePolicy::Discard).await;
    let mut events = client.events();
    client.send(Bytes::from_static(b"lost")).await.unwrap_err();
    for _ in 0..3 {
        let peer = accept(&listener).await;
        wait(&mut events, |event| matches!(event, ClientEvent::Connected { .. }).then_some(()))
            .await;
        reset(peer);
        let lost = |event: &_| matches!(event, ClientEvent::Disconnected { .. }).then_some(());
        // The client is told by what it sends.
        tokio::select! {
            () = wait(&mut events, lost) => {}
            () = async {
                loop {
                    let _ = client.send(Bytes::from_static(b"lost")).await;
                    tokio::task::yield_now().await;
                }
            } => {}
        }
    }
    let mut peer = accept(&listener).await;
    peer.write_all(b"last").await.unwrap();
    assert_eq!(received(&client).await, "first");
    assert!(matches!(client.recv().await, Err(ClientRecvError::Broken { .. })));
    // The last to be lost may have found the place that was just left.
    let next = client.recv().await;
    let next =
        if let Err(ClientRecvError::Broken { .. }) = next { client.recv().await } else { next };
    assert_eq!(next.unwrap().unwrap(), "last");
}

#[tokio::test]
async fn a_download_that_is_cut_is_not_taken_for_whole() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, mut peer) = pair(&listener, |builder| builder).await;
    peer.write_all(b"half of").await.unwrap();
    assert_eq!(received(&client).await, "half of");
    let address = peer.local_addr().unwrap();
    reset(peer);
    let error = client.recv().await.unwrap_err();
    assert_eq!(error.to_string(), format!("the stream from {address} broke off"));
    let ClientRecvError::Broken { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), ErrorKind::ConnectionReset);
    assert!(!error.is_final());
    for _ in 0..2 {
        assert!(client.recv().await.unwrap_err().is_final(), "it never looks like an end");
    }
}

#[tokio::test]
async fn a_download_that_is_whole_ends_again_and_again() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, mut peer) = pair(&listener, |builder| builder.receive_queue(1)).await;
    let sent = pattern(1 << 20);
    let sending = async {
        peer.write_all(&sent).await.unwrap();
        peer.shutdown().await.unwrap();
    };
    let receiving = async {
        let mut whole = Vec::new();
        while let Some(bytes) = client.recv().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok::<_, ClientRecvError>(whole)
    };
    let ((), whole) = tokio::join!(sending, receiving);
    assert!(whole.unwrap() == sent);
    assert_eq!(client.recv().await.unwrap(), None);
    client.close().await;
    assert_eq!(client.recv().await.unwrap(), None, "it came to its end before");
}

#[tokio::test]
async fn a_download_that_is_closed_here_is_not_taken_for_whole() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, mut peer) = pair(&listener, |builder| builder).await;
    let mut events = client.events();
    peer.write_all(b"half of").await.unwrap();
    wait(&mut events, |event| matches!(event, ClientEvent::Data { .. }).then_some(())).await;
    tokio::join!(client.close(), async { drop(peer) });
    assert_eq!(received(&client).await, "half of", "what was received before is there");
    let error = client.recv().await.unwrap_err();
    assert!(matches!(error, ClientRecvError::Closed { .. }), "{error}");
}

#[tokio::test]
async fn what_is_finished_ends_whole_with_reconnection_too() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let (client, mut peer) = pair(&listener, reconnecting).await;
    let answering = async {
        assert_eq!(read_exactly(&mut peer, 8).await, b"question");
        peer.write_all(b"answer").await.unwrap();
        drop(peer);
    };
    client.send(Bytes::from_static(b"question")).await.unwrap();
    client.finish().await.unwrap();
    answering.await;
    assert_eq!(received(&client).await, "answer");
    assert_eq!(client.recv().await.unwrap(), None);
}
