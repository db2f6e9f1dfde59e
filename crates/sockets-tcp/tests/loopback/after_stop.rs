//! What clients send after a server has begun to stop: nobody handles it, and they learn so.

use std::io::ErrorKind;
use std::time::Duration;

use sockets_tcp::{
    Connection, Discard, Echo, Handler, Relay, ServerEvent, ShutdownReport, handler_fn,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::arrival::delivered;
use crate::support::{HANG, connected, disconnected, peer, read_exactly, server, wait};

/// Longer than any test waits: what happens within [`HANG`] happens for another reason.
const FOR_EVER: Duration = Duration::from_hours(1);

/// All that comes, and how it ends.
async fn read_to_its_end(stream: &mut TcpStream) -> (Vec<u8>, std::io::Result<()>) {
    let mut all = Vec::new();
    let end = tokio::time::timeout(HANG, stream.read_to_end(&mut all)).await.unwrap();
    (all, end.map(drop))
}

/// The one client's bytes that nobody handled.
fn discarded(report: &ShutdownReport) -> u64 {
    let [unread] = report.unread[..] else { panic!("{report:?}") };
    assert_eq!((report.drained, report.cut_off.len()), (0, 0), "{report:?}");
    unread.bytes
}

/// A client that is told of the stop by the end of the server's stream, and goes on sending.
async fn sends_on(handler: impl Handler, answer: &[u8]) {
    let server = server(handler).linger(FOR_EVER).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"in time").await.unwrap();
    wait(&mut events, |event| matches!(event, ServerEvent::Data { .. }).then_some(())).await;
    let stopping = server.shutdown(FOR_EVER);
    let (report, ()) = tokio::join!(stopping, async {
        // Up to here all that it sent is handled.
        let (all, end) = read_to_its_end(&mut peer).await;
        assert_eq!(all, answer);
        end.unwrap();
        peer.write_all(b"late").await.unwrap();
        #[cfg(target_os = "linux")]
        {
            // The reset: nothing else ends the connection before this.
            while peer.write_all(b"later").await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        #[cfg(not(target_os = "linux"))]
        peer.shutdown().await.unwrap();
    });
    let late = discarded(&report);
    assert!(late >= 4, "{report:?}");
    let counted = server.stats().snapshot().totals();
    assert_eq!((counted.bytes_received, counted.discarded_bytes), (7, late));
    let told = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { bytes_in, discarded, .. } => Some((*bytes_in, *discarded)),
        _ => None,
    })
    .await;
    assert_eq!(told, (7, late));
}

#[tokio::test]
async fn who_sends_on_after_the_end_is_reset_at_once() {
    sends_on(Echo::new(), b"in time").await;
    sends_on(Discard, b"").await;
    sends_on(Relay::new(), b"").await;
}

/// Its last bytes come first, all of them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_sent_what_nobody_read_sees_no_end_but_a_reset() {
    const LEN: usize = 4 << 20;
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.shutdown_token().cancelled().await;
        connection.write_all(&vec![7; LEN]).await?;
        Ok(())
    });
    let server = server(handler).linger(FOR_EVER).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    peer.write_all(b"unread").await.unwrap();
    delivered(&peer);
    let (report, (read, end)) = tokio::join!(server.shutdown(FOR_EVER), read_to_its_end(&mut peer));
    assert!(read == vec![7; LEN], "{} bytes", read.len());
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(discarded(&report), 6);
}

/// The same where the handler returns on another thread than the one that stops the server, maybe before
/// that has come to its connection.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_read_is_reset_however_soon_the_handler_returns() {
    const ROUNDS: usize = 100;
    for _ in 0..ROUNDS {
        let handler = handler_fn(|connection: Connection| async move {
            connection.shutdown_token().cancelled().await;
            Ok(())
        });
        let server = server(handler).linger(FOR_EVER).start().await.unwrap();
        let mut events = server.events();
        let mut peer = peer(server.local_addr()).await;
        wait(&mut events, connected).await;
        peer.write_all(b"unread").await.unwrap();
        delivered(&peer);
        let stopping = tokio::time::timeout(HANG, server.shutdown(FOR_EVER));
        assert_eq!(discarded(&stopping.await.unwrap()), 6);
        let (read, end) = read_to_its_end(&mut peer).await;
        assert_eq!((read, end.unwrap_err().kind()), (Vec::new(), ErrorKind::ConnectionReset));
    }
}

/// The same where the client has ended its stream: that end is no answer to what nobody read.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_has_ended_behind_what_nobody_read_is_reset_too() {
    let handler = handler_fn(|connection: Connection| async move {
        connection.shutdown_token().cancelled().await;
        Ok(())
    });
    let server = server(handler).linger(FOR_EVER).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    peer.write_all(b"unread").await.unwrap();
    peer.shutdown().await.unwrap();
    delivered(&peer);
    let (report, (read, end)) = tokio::join!(server.shutdown(FOR_EVER), read_to_its_end(&mut peer));
    assert_eq!(read, b"");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(discarded(&report), 6);
}

/// A client that only reads when all is written: it would not take the last bytes while nobody takes
/// its own.
#[tokio::test]
async fn a_client_that_is_still_writing_gets_its_last_bytes() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.shutdown_token().cancelled().await;
        connection.write_all(b"last words").await?;
        Ok(())
    });
    let server = server(handler).linger(FOR_EVER).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    let (report, ()) = tokio::join!(server.shutdown(FOR_EVER), async {
        // More than the kernels hold; it ends early by the reset.
        let _ = peer.write_all(&vec![7; 32 << 20]).await;
        assert_eq!(read_exactly(&mut peer, 10).await, b"last words");
    });
    assert!(discarded(&report) > 0);
}

/// It is the handler that did not want it.
#[tokio::test]
async fn what_a_handler_leaves_unread_while_the_server_runs_is_counted_and_no_reset() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(b"enough").await?;
        Ok(())
    });
    let server = server(handler).linger(FOR_EVER).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    let (read, end) = read_to_its_end(&mut peer).await;
    assert_eq!(read, b"enough");
    end.unwrap();
    peer.write_all(b"more").await.unwrap();
    // Begun when the handler was done.
    let (report, ()) = tokio::join!(server.shutdown(FOR_EVER), async {
        peer.write_all(b" and more").await.unwrap();
        peer.shutdown().await.unwrap();
    });
    assert_eq!((report.drained, report.cut_off.len()), (1, 0), "{report:?}");
    let (reason, discarded) = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { bytes_in: 0, discarded, .. } => {
            Some((disconnected(event), *discarded))
        }
        _ => None,
    })
    .await;
    assert_eq!((reason, discarded), (Some(sockets_tcp::CloseReason::Local), 13));
}
