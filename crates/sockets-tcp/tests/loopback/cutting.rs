//! Ending at once: what is not over is reset, and what it lost is counted to the byte.

use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{CloseReason, Echo, ServerEvent, TcpClient, handler_fn};

use crate::support::{HANG, any_port, connected, disconnected, peer, server, wait};

/// A client and the other end of its connection.
async fn pair() -> (TcpClient, std::net::TcpStream) {
    let listener = TcpListener::bind(any_port()).unwrap();
    let client = TcpClient::builder(listener.local_addr().unwrap()).connect().await.unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(HANG)).unwrap();
    (client, peer)
}

/// Sends until something waits; how much was accepted.
async fn fill(client: &TcpClient) -> u64 {
    let message = Bytes::from(vec![7; 64 * 1024]);
    let mut accepted = 0;
    loop {
        let sent = client.send(message.clone());
        // Less would only prove less.
        if tokio::time::timeout(Duration::from_millis(200), sent).await.is_err() {
            return accepted;
        }
        accepted += message.len() as u64;
    }
}

fn read_to_reset(peer: &mut std::net::TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let error = peer.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    bytes
}

#[tokio::test]
async fn a_client_that_is_cut_off_or_aborted_reports_every_byte_and_resets() {
    for aborts in [false, true] {
        let (client, mut peer) = pair().await;
        let accepted = fill(&client).await;
        assert!(client.outstanding_bytes() as u64 <= accepted);
        assert!(client.outstanding_bytes() > 1 << 20, "the outbox is full");
        let report = if aborts { client.abort() } else { client.cut_off() };
        assert_eq!(report.sent_bytes + report.unsent_bytes as u64, accepted);
        assert!(report.unsent_bytes > 0 && report.unacknowledged_bytes > 0, "{report:?}");
        assert!(report.unsent_messages >= report.unsent_bytes / (64 * 1024), "{report:?}");
        let totals = client.stats().snapshot().totals();
        assert_eq!(totals.dropped_bytes, report.unsent_bytes as u64, "counted at once");
        assert_eq!(client.close().await.unsent_bytes, report.unsent_bytes);
        tokio::task::spawn_blocking(move || read_to_reset(&mut peer)).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_received_and_not_taken_is_reported() {
    use std::io::Write as _;
    let (client, mut peer) = pair().await;
    let mut events = client.events();
    peer.write_all(b"taken").unwrap();
    assert_eq!(client.recv().await.unwrap().as_deref(), Some(&b"taken"[..]));
    peer.write_all(b"left").unwrap();
    let mut seen = 0;
    while seen < 9 {
        if let sockets_tcp::ClientEvent::Data { len } = events.recv().await.unwrap() {
            seen += len;
        }
    }
    let report = client.abort();
    assert_eq!((report.unread_bytes, report.sent_bytes, report.unsent_bytes), (4, 0, 0));
    assert_eq!(read_to_reset(&mut peer), b"");
}

#[tokio::test]
async fn a_client_whose_stream_is_out_is_left_to_the_kernel() {
    let (client, mut peer) = pair().await;
    client.send(Bytes::from_static(b"all of it")).await.unwrap();
    client.finish().await.unwrap();
    let report = client.cut_off();
    assert_eq!((report.sent_bytes, report.unsent_bytes), (9, 0));
    drop(client);
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"all of it");
}

#[tokio::test]
async fn a_client_that_is_dropped_after_it_was_cut_off_ends_at_once() {
    let listener = TcpListener::bind(any_port()).unwrap();
    socket2::SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let target = listener.local_addr().unwrap();
    let builder = TcpClient::builder(target).close_grace(Duration::from_hours(1));
    let client = builder.connect().await.unwrap();
    let (peer, _) = listener.accept().unwrap();
    let mut events = client.events();
    client.send(Bytes::from(vec![7; 256 * 1024])).await.unwrap();
    client.finish().await.unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    // The grace goes on, as the peer takes nothing.
    assert!(tokio::time::timeout(Duration::from_millis(50), client.close()).await.is_err());
    assert!(client.cut_off().unacknowledged_bytes > 0);
    drop(client);
    let last = async { while events.recv().await.is_some() {} };
    tokio::time::timeout(HANG, last).await.expect("its events end");
}

#[tokio::test]
async fn a_server_that_is_cut_off_resets_whom_it_serves() {
    let server = server(Echo::new()).start().await.unwrap();
    let mut events = server.events();
    let mut served = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let report = server.cut_off();
    assert_eq!(report.cut_off.len(), 1);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Shutdown);
    let error = tokio::io::AsyncReadExt::read(&mut served, &mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// A handler that breaks off for what failed on its own connection is not what failed.
#[tokio::test]
async fn the_reason_of_a_breaking_off_is_what_broke() {
    let handler = handler_fn(|connection| async move {
        let (mut reader, mut writer) = sockets_tcp::Connection::into_split(connection);
        let mut buffer = [0; 8];
        let result = loop {
            match reader.read(&mut buffer).await {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error.into()),
            }
        };
        writer.abort();
        result
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let reset = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    socket2::SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
    drop(reset);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Reset);
    let _idle = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let report = server.shutdown(HANG).await;
    assert_eq!(report.cut_off[0].reason, CloseReason::Shutdown);
    let told = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(told.await, CloseReason::Shutdown);
}
