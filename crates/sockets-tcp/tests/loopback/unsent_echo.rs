//! What an echo read and did not send back is counted, to the byte.

use std::time::Duration;

use sockets_tcp::{Echo, ServerEvent};
use tokio::io::AsyncWriteExt;

use crate::support::{disconnected, reset, small_peer, tight_server, wait};

const LINES: usize = 20;
/// So long that the answer to a few bytes is far more than the kernel takes.
const PREFIX: usize = 100_000;
/// All lines with their prefixes.
const ANSWER: u64 = (LINES * (PREFIX + 2)) as u64;

async fn is_counted(ends: impl AsyncFnOnce(tokio::net::TcpStream), idle: Option<Duration>) {
    let mut builder = tight_server(Echo::new().prefix(vec![b'p'; PREFIX]));
    if let Some(idle) = idle {
        builder = builder.idle_timeout(idle).reset_unfinished(false);
    }
    let server = builder.start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    peer.write_all(&b"l\n".repeat(LINES)).await.unwrap();
    let read = wait(&mut events, |event| match event {
        ServerEvent::Data { len, .. } => Some(*len),
        _ => None,
    });
    assert_eq!(read.await, 2 * LINES, "all in one piece, as it was sent");
    ends(peer).await;
    let mut told = 0;
    let sent = wait(&mut events, |event| match event {
        ServerEvent::Dropped { bytes, .. } => {
            told += *bytes as u64;
            None
        }
        ServerEvent::Disconnected { bytes_out, .. } => Some(*bytes_out),
        _ => None,
    })
    .await;
    assert!(sent < ANSWER / 2, "{sent}");
    assert_eq!(sent + told, ANSWER);
    let counted = server.stats().snapshot().totals();
    assert_eq!((counted.bytes_sent, counted.dropped_bytes), (sent, told));
}

#[tokio::test]
async fn what_a_reset_kept_from_being_sent_is_counted() {
    is_counted(async |peer| reset(peer), None).await;
}

#[tokio::test]
async fn what_an_idle_timeout_kept_from_being_sent_is_counted() {
    // The client neither reads nor goes.
    is_counted(async |peer| std::mem::forget(peer), Some(Duration::from_millis(300))).await;
}

#[tokio::test]
async fn what_a_line_that_is_too_long_kept_from_being_sent_is_counted() {
    let echo = Echo::new().prefix("> ").longest_line(3);
    let server = tight_server(echo).start().await.unwrap();
    let mut events = server.events();
    let mut peer = small_peer(server.local_addr()).await;
    peer.write_all(b"one\ntwo\nthree\n").await.unwrap();
    wait(&mut events, disconnected).await;
    let counted = server.stats().snapshot().totals();
    let answer = "> one\n> two\n> three\n".len() as u64;
    assert_eq!((counted.bytes_received, counted.bytes_sent + counted.dropped_bytes), (14, answer));
}
