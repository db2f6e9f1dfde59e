//! Who ends the stream first, with data under way both ways, and what comes after.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sockets_tcp::{CloseReason, Connection, Events, HandlerError, ServerEvent, handler_fn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::support::{
    HANG, connected, disconnected, pattern, peer, read_to_end, reset, server, wait,
};

/// More than the kernels hold: some of it is under way when the other direction ends.
const MUCH: usize = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Client,
    Server,
    Both,
}

/// When the server is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    After,
    Meanwhile,
}

fn much() -> Bytes {
    static MUCH_DATA: OnceLock<Bytes> = OnceLock::new();
    MUCH_DATA.get_or_init(|| pattern(MUCH).into()).clone()
}

/// The server's side; what it read.
async fn serve(connection: Connection, first: First) -> Result<Vec<u8>, HandlerError> {
    let (mut reader, mut writer) = connection.into_split();
    let reading = async {
        let mut all = Vec::new();
        loop {
            let chunk = reader.read_chunk().await?;
            if chunk.is_empty() {
                return Ok::<_, HandlerError>(all);
            }
            all.extend_from_slice(&chunk);
        }
    };
    let writing = async {
        writer.write_all(&much()).await?;
        writer.finish().await?;
        Ok::<_, HandlerError>(())
    };
    match first {
        First::Client => {
            let read = reading.await?;
            writing.await?;
            Ok(read)
        }
        First::Server => {
            writing.await?;
            reading.await
        }
        First::Both => {
            let (read, wrote) = tokio::join!(reading, writing);
            wrote?;
            read
        }
    }
}

/// The client's side: what it read, and whether both directions came to their ends. It writes to its
/// end, whatever becomes of that.
async fn talk(stream: TcpStream, first: First) -> (Vec<u8>, io::Result<()>) {
    let (mut reader, mut writer) = stream.into_split();
    let data = much();
    // Where the server ends first, half of it is under way by then.
    let (before, after) = data.split_at(if first == First::Server { MUCH / 2 } else { 0 });
    let ended = Notify::new();
    let reading = async {
        let mut all = Vec::new();
        let end = reader.read_to_end(&mut all).await;
        ended.notify_one();
        (all, end.map(drop))
    };
    let writing = async {
        writer.write_all(before).await?;
        if first == First::Server {
            ended.notified().await;
        }
        writer.write_all(after).await?;
        writer.shutdown().await
    };
    let ((all, read), wrote) = tokio::join!(reading, writing);
    (all, read.and(wrote))
}

#[tokio::test]
async fn whoever_ends_first_nothing_is_lost() {
    for first in [First::Client, First::Server, First::Both] {
        for shutdown in [Shutdown::After, Shutdown::Meanwhile] {
            nothing_is_lost(first, shutdown).await;
        }
    }
}

async fn nothing_is_lost(first: First, shutdown: Shutdown) {
    let (results, mut read_by_server) = mpsc::unbounded_channel();
    let handler = handler_fn(move |connection: Connection| {
        let results = results.clone();
        async move {
            results.send(serve(connection, first).await?).unwrap();
            Ok(())
        }
    });
    let server = server(handler).linger(HANG).event_capacity(1 << 16).start().await.unwrap();
    let mut events = server.events();
    let talking = tokio::spawn(talk(peer(server.local_addr()).await, first));
    let report = match shutdown {
        Shutdown::After => None,
        Shutdown::Meanwhile => {
            // In the middle of the one direction or the other.
            wait(&mut events, |event| match event {
                ServerEvent::Data { .. } => Some(()),
                _ => None,
            })
            .await;
            Some(server.shutdown(HANG).await)
        }
    };
    let (read, end) = tokio::time::timeout(HANG, talking).await.unwrap().unwrap();
    let case = format!("{first:?} first, shut down {shutdown:?}");
    assert!(read == much(), "{case}: {} of the server's bytes", read.len());
    let read = read_by_server.recv().await.unwrap();
    assert!(much().starts_with(&read), "{case}: {} of the client's bytes", read.len());
    let (reason, bytes_in, bytes_out, discarded) = wait(&mut events, |event| match event {
        ServerEvent::Disconnected { reason, bytes_in, bytes_out, discarded, .. } => {
            Some((*reason, *bytes_in, *bytes_out, *discarded))
        }
        _ => None,
    })
    .await;
    assert_eq!((bytes_in, bytes_out), (read.len() as u64, MUCH as u64), "{case}");
    let counted = server.stats().snapshot().totals();
    assert_eq!((counted.bytes_received, counted.discarded_bytes), (bytes_in, discarded), "{case}");
    match report {
        None => {
            assert_eq!((read.len(), discarded), (MUCH, 0), "{case}");
            end.unwrap();
            assert_eq!(reason, CloseReason::PeerClosed, "{case}");
            let report = server.shutdown(HANG).await;
            assert_eq!((report.drained, report.cut_off.len()), (0, 0), "{case}: it had ended");
        }
        // What came after the draining began is thrown away, and counted; the end of the
        // stream is out by then.
        Some(report) if discarded > 0 => {
            let [unread] = report.unread[..] else { panic!("{case}: {report:?}") };
            assert_eq!((unread.bytes, reason), (discarded, CloseReason::Shutdown), "{case}");
        }
        Some(report) => {
            assert_eq!((report.drained, report.cut_off.len()), (1, 0), "{case}: {report:?}");
            assert_eq!(read.len(), MUCH, "{case}");
        }
    }
}

/// Reads to the end, then writes until it fails; says how much it read.
async fn read_then_write(
    mut connection: Connection,
    results: mpsc::UnboundedSender<usize>,
    go: Arc<Notify>,
) -> Result<(), HandlerError> {
    go.notified().await;
    let mut read = 0;
    loop {
        let chunk = connection.read_chunk().await?;
        if chunk.is_empty() {
            break;
        }
        read += chunk.len();
    }
    results.send(read).unwrap();
    // The first may go before the kernel knows; one of the next fails.
    loop {
        connection.write_all(b"an answer").await?;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_end_of_input_and_then_a_reset_is_a_whole_input_and_a_reset() {
    const LEN: usize = 10_000;
    let (results, mut read) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let gone = Arc::clone(&go);
    let handler = handler_fn(move |connection| {
        read_then_write(connection, results.clone(), Arc::clone(&gone))
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    wait(&mut events, connected).await;
    peer.write_all(&[7; LEN]).await.unwrap();
    peer.shutdown().await.unwrap();
    reset(peer);
    go.notify_one();
    assert_eq!(read.recv().await, Some(LEN), "the end was real");
    let (reason, bytes_in) = how_it_ended(&mut events).await;
    assert_eq!((reason, bytes_in), (CloseReason::Reset, LEN as u64));
}

async fn how_it_ended(events: &mut Events<ServerEvent>) -> (CloseReason, u64) {
    wait(events, |event| match event {
        ServerEvent::Disconnected { reason, bytes_in, .. } => Some((*reason, *bytes_in)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_reset_behind_the_servers_end_is_no_end_of_input() {
    let handler = handler_fn(|mut connection: Connection| async move {
        connection.write_all(&[7; 10_000]).await?;
        connection.finish().await?;
        while !connection.read_chunk().await?.is_empty() {}
        panic!("a reset looks like the client's end");
    });
    let server = server(handler).start().await.unwrap();
    let mut events = server.events();
    let mut peer = peer(server.local_addr()).await;
    peer.write_all(b"half a mess").await.unwrap();
    assert_eq!(read_to_end(&mut peer).await.unwrap(), [7; 10_000]);
    wait(&mut events, |event| matches!(event, ServerEvent::Data { len: 11, .. }).then_some(()))
        .await;
    reset(peer);
    assert_eq!(wait(&mut events, disconnected).await, CloseReason::Reset);
}

#[tokio::test]
async fn a_reset_with_data_under_way_both_ways_is_told_to_the_byte() {
    let handler = handler_fn(|connection: Connection| async move {
        serve(connection, First::Both).await?;
        Ok(())
    });
    for shutdown in [Shutdown::After, Shutdown::Meanwhile] {
        let server = server(handler).event_capacity(1 << 16).start().await.unwrap();
        let mut events = server.events();
        let mut peer = peer(server.local_addr()).await;
        peer.write_all(&much()[..MUCH / 2]).await.unwrap();
        peer.read_exact(&mut vec![0; MUCH / 4]).await.unwrap();
        let mut report = None;
        if shutdown == Shutdown::Meanwhile {
            let stopping = server.shutdown(HANG);
            report = Some(tokio::join!(stopping, async { reset(peer) }).0);
        } else {
            reset(peer);
        }
        let dropped = wait(&mut events, |event| match event {
            ServerEvent::Dropped { bytes, .. } => Some(*bytes),
            _ => None,
        })
        .await;
        assert_eq!(wait(&mut events, disconnected).await, CloseReason::Reset);
        let sent = server.stats().snapshot().totals().bytes_sent;
        assert_eq!(sent + dropped as u64, MUCH as u64, "shut down {shutdown:?}");
        if let Some(report) = report {
            assert_eq!(report.cut_off[0].unsent_bytes, dropped);
            assert_eq!(report.cut_off[0].reason, CloseReason::Reset);
        }
    }
}
