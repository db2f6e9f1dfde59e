//! One script for every relay there is: a listener that never reads, until what is held for it is
//! full, then messages at a pace. It knows nothing of the relay but its address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{LISTENERS, MESSAGE, PACE, stalled};

/// What goes before the messages, a piece at a time, so that the stalled one is in the way: more
/// than a kernel holds for one connection (`net.ipv4.tcp_wmem`: 4 MiB unless set) and an outbox.
const FILL: usize = 96 * PIECE;
const PIECE: usize = 64 * 1024;
const MESSAGES: usize = 1000;
/// Where nothing moves for so long, nothing will.
const STUCK: Duration = Duration::from_secs(3);

/// What the listeners noticed.
pub(crate) struct Noticed {
    /// How many of them got every byte.
    pub(crate) whole: usize,
    /// The 99th percentile of the delays of the messages that came, in microseconds; `None` where
    /// none came.
    pub(crate) p99: Option<f64>,
}

/// How far the listeners are, all together.
struct Progress {
    read: AtomicUsize,
    over: CancellationToken,
}

impl Progress {
    /// Waits until all of them have read so much; `false`: they are stuck.
    async fn reaches(&self, each: usize) -> bool {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let read = self.read.load(Ordering::Relaxed);
            if read >= each * LISTENERS {
                return true;
            }
            if read != last {
                (last, since) = (read, Instant::now());
            } else if since.elapsed() >= STUCK {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub(crate) async fn play(relay: SocketAddr, with_stalled: bool) -> Noticed {
    let begun = Instant::now();
    let progress = Arc::new(Progress { read: AtomicUsize::new(0), over: CancellationToken::new() });
    let mut listening = JoinSet::new();
    for _ in 0..LISTENERS {
        let stream = TcpStream::connect(relay).await.unwrap();
        listening.spawn(listen(stream, begun, Arc::clone(&progress)));
    }
    let silent = if with_stalled { Some(stalled(relay).await) } else { None };
    // The last to come: whoever relays what it says has accepted the others.
    let mut speaker = TcpStream::connect(relay).await.unwrap();
    speaker.set_nodelay(true).unwrap();
    speak(&mut speaker, begun, &progress).await;
    progress.over.cancel();
    let all = listening.join_all().await;
    drop(silent);
    let whole = all.iter().filter(|delays| delays.len() == MESSAGES).count();
    let mut delays = all.concat();
    delays.sort_by(f64::total_cmp);
    Noticed { whole, p99: delays.get(delays.len() * 99 / 100).copied() }
}

/// Says what there is to say, as far as it is taken, and waits until it was heard.
async fn speak(speaker: &mut TcpStream, begun: Instant, progress: &Progress) {
    let piece = vec![0; PIECE];
    for said in (PIECE..=FILL).step_by(PIECE) {
        let taken = tokio::time::timeout(STUCK, speaker.write_all(&piece)).await;
        // In lockstep, so that only the stalled one can be slow.
        if taken.is_err() || !progress.reaches(said).await {
            return;
        }
    }
    let mut pace = tokio::time::interval(PACE);
    for _ in 0..MESSAGES {
        pace.tick().await;
        let mut message = [0; MESSAGE];
        message[..8].copy_from_slice(&(begun.elapsed().as_nanos() as u64).to_le_bytes());
        if tokio::time::timeout(STUCK, speaker.write_all(&message)).await.is_err() {
            return;
        }
    }
    progress.reaches(FILL + MESSAGES * MESSAGE).await;
}

/// The delays of the messages that came, in microseconds.
async fn listen(mut stream: TcpStream, begun: Instant, progress: Arc<Progress>) -> Vec<f64> {
    let mut delays = Vec::new();
    let hearing = async {
        let mut buffer = vec![0; PIECE];
        let mut left = FILL;
        while left > 0 {
            let most = left.min(PIECE);
            let Ok(read @ 1..) = stream.read(&mut buffer[..most]).await else { return };
            left -= read;
            progress.read.fetch_add(read, Ordering::Relaxed);
        }
        while delays.len() < MESSAGES && stream.read_exact(&mut buffer[..MESSAGE]).await.is_ok() {
            let (stamp, _) = buffer.split_first_chunk().unwrap();
            let sent = Duration::from_nanos(u64::from_le_bytes(*stamp));
            delays.push(begun.elapsed().saturating_sub(sent).as_nanos() as f64 / 1000.0);
            progress.read.fetch_add(MESSAGE, Ordering::Relaxed);
        }
    };
    progress.over.run_until_cancelled(hearing).await;
    delays
}
