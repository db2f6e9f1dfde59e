//! The two streams of a client's forwarding, from their first byte to their ends.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use sockets_tcp::{
    ClientRecvError, ClientSendError, ConnectionReader, ConnectionWriter, HandlerError, TcpClient,
    TlsError, TlsFault,
};
use tokio::sync::Mutex;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::quiet::{self, Look};
use crate::commands::conversation::session::GRACE;
use crate::commands::conversation::stillness::Stillness;

/// Longer than what ends the waiting for the last bytes of a target.
pub(super) const UNBOUNDED: Duration = Duration::from_hours(24 * 365);
/// How often it is looked whether a peer goes on taking something: no poller tells of that.
const LOOK: Duration = Duration::from_millis(50);
/// How soon it is looked for the first time whether all is acknowledged; then each time twice as late.
const FIRST_LOOK: Duration = Duration::from_millis(1);

/// What came so far, from either side.
#[derive(Debug, Default)]
pub(super) struct Progress {
    up: AtomicU64,
    down: AtomicU64,
    is_asked: AtomicBool,
}

impl Progress {
    /// Bytes that came from the client.
    pub(super) fn up(&self) -> u64 {
        self.up.load(Relaxed)
    }

    /// Bytes that came from the target.
    pub(super) fn down(&self) -> u64 {
        self.down.load(Relaxed)
    }

    fn note_up(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Relaxed);
        self.is_asked.store(true, Relaxed);
    }

    fn note_down(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Relaxed);
        self.is_asked.store(false, Relaxed);
    }

    fn look(&self, writer: &Mutex<ConnectionWriter>, target: &TcpClient) -> Look {
        // A writer that is in use is at work on something.
        let for_client = writer.try_lock().map_or(1, |writer| writer.outstanding_bytes());
        Look {
            up: self.up(),
            down: self.down(),
            is_asked: self.is_asked.load(Relaxed),
            outstanding: for_client + target.outstanding_bytes(),
        }
    }
}

/// How a client's forwarding came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Both streams ended.
    Whole,
    /// The target's stream ended; that of the client was cut by a shutdown.
    Cut,
    /// Neither stream ended, and a shutdown found nothing moving in them.
    Quiet,
}

/// What ended a client's forwarding before its streams had ended.
pub(super) enum Broken {
    OfClient(io::Error),
    OfTarget { operation: &'static str, source: HandlerError },
}

impl Broken {
    fn sending(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::OfTarget { operation: "send", source: error.into() }
    }
}

/// Where the target's stream breaks off, its client first gets what came before that.
pub(super) async fn both_ways(
    reader: &mut ConnectionReader,
    writer: &Mutex<ConnectionWriter>,
    target: &TcpClient,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Over, Broken> {
    let is_answered = AtomicBool::new(false);
    let mut down = pin!(to_client(writer, target, progress));
    let mut down_is_over = false;
    let result = {
        let up = async {
            let over = to_target(reader, target, progress).await?;
            if over == Over::Cut && is_answered.load(Relaxed) {
                // The target may take what is under way.
                std::future::pending::<()>().await;
            }
            Ok(over)
        };
        let down = async {
            let result = down.as_mut().await;
            down_is_over = true;
            is_answered.store(result.is_ok(), Relaxed);
            result
        };
        tokio::select! {
            biased;
            // An error of one direction ends the other.
            result = async { tokio::try_join!(up, down) } => result.map(|(over, ())| over),
            () = quiet::after(stop, || progress.look(writer, target)) => {
                Ok(if is_answered.load(Relaxed) { Over::Cut } else { Over::Quiet })
            }
        }
    };
    let Err(broken @ Broken::OfTarget { .. }) = result else { return result };
    let rest = async {
        // Whatever it tells of the target, it tells it with the cause.
        let told = if down_is_over { Ok(()) } else { down.await };
        if !matches!(told, Err(Broken::OfClient(_))) {
            until_acknowledged(reader).await;
        }
        told
    };
    let rest = tokio::select! {
        biased;
        rest = rest => rest,
        () = until_it_stands_still(reader, progress) => Ok(()),
    };
    rest.and(Err(broken))
}

async fn until_acknowledged(reader: &ConnectionReader) {
    let mut pause = FIRST_LOOK;
    while reader.outstanding_bytes() > 0 {
        sleep(pause).await;
        pause = (pause * 2).min(LOOK);
    }
}

/// Until the client has acknowledged nothing more for as long as the grace, or has gone itself.
async fn until_it_stands_still(reader: &ConnectionReader, progress: &Progress) {
    let look = async {
        let seen = || (progress.down(), reader.outstanding_bytes());
        let mut stillness = Stillness::begin(seen(), Instant::now());
        while stillness.look(seen(), Instant::now()) < GRACE {
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        () = reader.closed() => {}
        () = look => {}
    }
}

/// After both streams have ended: until the target has acknowledged all, for as long as it goes on
/// taking some. Its client is not idle meanwhile.
pub(super) async fn last_bytes(target: &TcpClient, writer: &Mutex<ConnectionWriter>) {
    let look = async {
        let mut stillness = Stillness::begin(0, Instant::now());
        loop {
            let still = stillness.look(target.outstanding_bytes(), Instant::now());
            if still >= GRACE {
                return;
            }
            writer.lock().await.stir();
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        _ = target.close() => {}
        () = look => {}
    }
}

async fn to_target(
    reader: &mut ConnectionReader,
    target: &TcpClient,
    progress: &Progress,
) -> Result<Over, Broken> {
    loop {
        let chunk = reader.read_chunk().await.map_err(Broken::OfClient)?;
        if chunk.is_empty() {
            if !reader.peer_ended() {
                return Ok(Over::Cut);
            }
            return target.finish().await.map(|()| Over::Whole).map_err(not_sent);
        }
        progress.note_up(chunk.len());
        let message = Bytes::copy_from_slice(&chunk);
        // Its buffer serves others while this client waits.
        drop(chunk);
        target.send(message).await.map_err(not_sent)?;
    }
}

async fn to_client(
    writer: &Mutex<ConnectionWriter>,
    target: &TcpClient,
    progress: &Progress,
) -> Result<(), Broken> {
    loop {
        match target.recv().await {
            Ok(Some(bytes)) => {
                progress.note_down(bytes.len());
                // Receiving takes its share of the task's time: what was received is at once with
                // the writer.
                let write = unconstrained(async { writer.lock().await.write_all(&bytes).await });
                write.await.map_err(Broken::OfClient)?;
            }
            Ok(None) => return writer.lock().await.finish().await.map_err(Broken::OfClient),
            Err(error) => {
                let (target, reason) = (target.target().to_string(), in_words(error));
                return Err(Broken::sending(TargetBrokeOff { target, reason }));
            }
        }
    }
}

/// What the other direction would have told a moment later.
fn not_sent(error: ClientSendError) -> Broken {
    match error {
        ClientSendError::Closed { target } | ClientSendError::NotConnected { target } => {
            Broken::sending(TargetIsGone { target: target.to_string() })
        }
        error => Broken::sending(error),
    }
}

/// The target's connection broke, and what was to be sent found none.
#[derive(Debug, thiserror::Error)]
#[error("the connection to {target} is gone")]
struct TargetIsGone {
    target: String,
}

/// The target ended its stream by anything but an end.
#[derive(Debug, thiserror::Error)]
#[error("the connection to {target} broke off: {reason}")]
struct TargetBrokeOff {
    target: String,
    reason: String,
}

fn in_words(error: ClientRecvError) -> String {
    let ClientRecvError::Broken { source, .. } = error else { return error.to_string() };
    match TlsError::of_io(&source).map(TlsError::fault) {
        Some(TlsFault::Alert(alert)) => format!("it ended the TLS session: {alert}"),
        _ => source.to_string(),
    }
}
