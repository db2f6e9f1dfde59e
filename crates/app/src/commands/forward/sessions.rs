//! The clients of a UDP forwarding, bounded in number, each with its socket to the target.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sockets_udp::{
    DRAIN_LIMIT, Datagram, Outgoing, RecvBatch, RecvError, ReturnPath, SendError, UdpSocket,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::output::EventLine;

/// Why a client is no longer served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Idle,
    /// Another client needed its place.
    Evicted,
    /// Its socket failed.
    Failed,
    Shutdown,
}

impl Ending {
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle-timeout",
            Self::Evicted => "evicted",
            Self::Failed => "error",
            Self::Shutdown => "shutdown",
        }
    }
}

/// How many datagrams are taken from the kernel, and given to it, in one call.
pub(super) const DATAGRAMS_PER_CALL: usize = 64;
/// How many clients of one listening socket may be answered at the same time; the others wait for
/// their turn. Each needs 4 MiB of address space, of which only what datagrams fill is used.
const LANES: usize = 4;

/// Buffers for the answers to the clients of one listening socket.
pub(super) struct Lanes([Mutex<RecvBatch>; LANES]);

impl Lanes {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(new_batch())))
    }
}

/// Room for whole datagrams.
pub(super) fn new_batch() -> RecvBatch {
    RecvBatch::new(DATAGRAMS_PER_CALL, RecvBatch::WHOLE)
}

/// A client: an address that sends, and the one of this machine that it sends to.
pub(super) struct Session {
    number: u64,
    path: ReturnPath,
    target: SocketAddr,
    socket: UdpSocket,
    began: Instant,
    /// Milliseconds from `began` to the last datagram, either way.
    last_ms: AtomicU64,
    /// Bytes of datagrams from the client, as far as the kernel took them on.
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    ended: OnceLock<Ending>,
    over: CancellationToken,
}

impl Session {
    fn new(number: u64, path: ReturnPath, socket: UdpSocket, target: SocketAddr) -> Self {
        Self {
            number,
            path,
            target,
            socket,
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            ended: OnceLock::new(),
            over: CancellationToken::new(),
        }
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn path(&self) -> ReturnPath {
        self.path
    }

    /// The first ending holds.
    pub(super) fn end(&self, ending: Ending) {
        let _ = self.ended.set(ending);
        self.over.cancel();
    }

    /// Sends on what the client said; how many of the datagrams were dealt with before the session
    /// was over. What the kernel does not take is counted by the socket's statistics, and told by
    /// its events.
    pub(super) async fn to_target(&self, datagrams: &[&[u8]]) -> usize {
        self.touch();
        let outgoing: Vec<_> =
            datagrams.iter().map(|data| Outgoing::new(data, self.target)).collect();
        let report = self.socket.send_many(&outgoing).await;
        let mut bytes: usize = datagrams.iter().map(|data| data.len()).sum();
        let mut over_from = datagrams.len();
        for failed in report.failed {
            bytes -= datagrams[failed.index].len();
            if matches!(failed.error, SendError::Closed { .. }) {
                over_from = over_from.min(failed.index);
            } else {
                tracing::debug!(client = %self.path.peer(), error = %failed.error, "not forwarded");
            }
        }
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
        over_from
    }

    /// The way back, until the session is over; what had come by then still goes.
    pub(super) async fn to_client(&self, listener: &UdpSocket, lanes: &Lanes, idle: Duration) {
        let mut silence = std::pin::pin!(sleep_until(self.last() + idle));
        let ending = loop {
            tokio::select! {
                () = self.over.cancelled() => break Ending::Shutdown,
                () = &mut silence => {
                    if self.last().elapsed() >= idle {
                        break Ending::Idle;
                    }
                    silence.as_mut().reset(self.last() + idle);
                }
                first = self.socket.recv() => {
                    self.touch();
                    if let Err(error) = self.send_back(first, listener, lanes).await {
                        tracing::debug!(client = %self.path.peer(), %error, "the way back ended");
                        break Ending::Failed;
                    }
                }
            }
        };
        // From now on the client gets a new session.
        self.end(ending);
        let mut left = DRAIN_LIMIT;
        while left > 0
            && let Ok(Some(last)) = self.socket.try_recv()
        {
            let Ok(sent) = self.send_back(Ok(last), listener, lanes).await else { break };
            left = left.saturating_sub(sent);
        }
        self.socket.close();
    }

    /// Sends back the first answer, and with it those that came meanwhile; how many.
    async fn send_back(
        &self,
        first: Result<Datagram, RecvError>,
        listener: &UdpSocket,
        lanes: &Lanes,
    ) -> Result<u64, RecvError> {
        let first = first?;
        let mut batch = lanes.0[self.number as usize % LANES].lock().await;
        let more = self.socket.try_recv_many(&mut batch);
        let answers = std::iter::once(&first.data[..]).chain(batch.iter().map(|more| more.data));
        let answers: Vec<_> = answers.map(|data| self.path.answer(data)).collect();
        let report = listener.send_many(&answers).await;
        let mut bytes = first.data.len() + batch.iter().map(|more| more.data.len()).sum::<usize>();
        for failed in report.failed {
            bytes -= if failed.index == 0 {
                first.data.len()
            } else {
                batch.iter().nth(failed.index - 1).map_or(0, |more| more.data.len())
            };
            tracing::debug!(client = %self.path.peer(), error = %failed.error, "not sent back");
        }
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
        more.map(|more| 1 + more as u64)
    }

    fn touch(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Relaxed);
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last_ms.load(Relaxed))
    }

    pub(super) fn greeting(&self) -> EventLine {
        EventLine::Connected { client: Some(self.number), peer: self.path.peer() }
    }

    pub(super) fn farewell(&self) -> EventLine {
        EventLine::Disconnected {
            client: Some(self.number),
            peer: self.path.peer(),
            reason: self.ended.get().copied().unwrap_or(Ending::Shutdown).name(),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
        }
    }
}

/// That a client could not be served.
pub(super) fn not_served(client: SocketAddr, error: &anyhow::Error) -> EventLine {
    let error = format!("{client} is not served: {error:#}");
    EventLine::Error { client: None, operation: "connect", error }
}

/// The clients, never more than so many.
pub(super) struct Sessions {
    most: usize,
    admitted: u64,
    by_path: HashMap<ReturnPath, Arc<Session>>,
}

impl Sessions {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), admitted: 0, by_path: HashMap::new() }
    }

    /// The session of a client, unless it is over.
    pub(super) fn find(&self, path: ReturnPath) -> Option<Arc<Session>> {
        self.by_path.get(&path).filter(|session| session.ended.get().is_none()).cloned()
    }

    /// A session for a client that has none; and the one that was in the way.
    pub(super) fn admit(
        &mut self,
        path: ReturnPath,
        socket: UdpSocket,
        target: SocketAddr,
    ) -> (Arc<Session>, Option<Arc<Session>>) {
        self.admitted += 1;
        let session = Arc::new(Session::new(self.admitted, path, socket, target));
        let mut gone = self.by_path.insert(path, session.clone());
        if self.by_path.len() > self.most {
            let others = self.by_path.values().filter(|other| other.path != path);
            let silent = others.min_by_key(|other| other.last()).map(|other| other.path);
            gone = silent.and_then(|silent| self.by_path.remove(&silent));
        }
        (session, gone)
    }

    /// Takes out the session of a client if it is over.
    pub(super) fn remove_ended(&mut self, path: ReturnPath) -> Option<Arc<Session>> {
        let over = self.by_path.get(&path)?.ended.get().is_some();
        over.then(|| self.by_path.remove(&path)).flatten()
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<Session>> {
        std::mem::take(&mut self.by_path).into_values()
    }
}
