//! A client of a UDP forwarding, with its socket to the target.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sockets_udp::{
    DRAIN_LIMIT, Datagram, Event, Events, Operation, Outgoing, RecvBatch, RecvError, ReturnPath,
    SendError, UdpSocket,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::telling::Teller;
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

/// How long it is looked for an ICMP message after a datagram; one that comes later is told with the next
/// datagram.
const ANSWER_WAIT: Duration = Duration::from_secs(4);

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

/// The way back to the clients of one listening socket.
#[derive(Clone)]
pub(super) struct WayBack {
    pub(super) listener: UdpSocket,
    pub(super) lanes: Arc<Lanes>,
    pub(super) idle: Duration,
    pub(super) teller: Teller,
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
    /// Held while something is told of the client: nothing is after its end.
    ended: std::sync::Mutex<Option<Ending>>,
    over: CancellationToken,
}

impl Session {
    pub(super) fn new(
        number: u64,
        path: ReturnPath,
        socket: UdpSocket,
        target: SocketAddr,
    ) -> Self {
        Self {
            number,
            path,
            target,
            socket,
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            ended: std::sync::Mutex::default(),
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
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ending);
        self.over.cancel();
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells something of the client, unless it is not served any more: its end is told last.
    fn tell(&self, teller: &Teller, tell: impl FnOnce(&Teller)) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_none() {
            tell(teller);
        }
    }

    /// Sends on what the client said; how many of the datagrams were dealt with before the session
    /// was over. What the kernel does not take is counted by the socket's statistics, and told by
    /// its events ([`to_client`](Self::to_client)).
    pub(super) async fn to_target(&self, datagrams: &[&[u8]]) -> usize {
        self.touch();
        if let [data] = datagrams {
            return self.one_to_target(data).await;
        }
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

    /// As [`to_target`](Self::to_target), without what only several are worth.
    async fn one_to_target(&self, data: &[u8]) -> usize {
        match self.socket.send_to(data, self.target).await {
            Ok(()) => _ = self.bytes_in.fetch_add(data.len() as u64, Relaxed),
            Err(SendError::Closed { .. }) => return 0,
            Err(error) => tracing::debug!(client = %self.path.peer(), %error, "not forwarded"),
        }
        1
    }

    /// The way back, until the session is over; what had come by then still goes. What fails on the
    /// way there is told, that nobody is there once.
    pub(super) async fn to_client(&self, way: &WayBack, mut events: Events) {
        let idle = way.idle;
        let mut is_unreachable = false;
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
                    if let Err(error) = self.send_back(first, way).await {
                        tracing::debug!(client = %self.path.peer(), %error, "the way back ended");
                        break Ending::Failed;
                    }
                }
                Some(event) = events.recv() => match event {
                    Event::PeerUnreachable { kind } if !is_unreachable => {
                        is_unreachable = true;
                        self.tell(&way.teller, |teller| self.tell_unreachable(teller, kind));
                    }
                    Event::Error { operation, text, .. } => {
                        let operation =
                            if operation == Operation::Send { "send" } else { "receive" };
                        self.tell(&way.teller, |teller| teller.tell(self.error(operation, text)));
                    }
                    Event::Lagged { missed } => {
                        self.tell(&way.teller, |teller| teller.tell(EventLine::Lagged { missed }));
                    }
                    _ => {}
                },
            }
        };
        // From now on the client gets a new session.
        self.end(ending);
        let mut left = DRAIN_LIMIT;
        while left > 0
            && let Ok(Some(last)) = self.socket.try_recv()
        {
            let Ok(sent) = self.send_back(Ok(last), way).await else { break };
            left = left.saturating_sub(sent);
        }
        self.socket.close();
    }

    /// Sends back the first answer, and with it those that came meanwhile; how many.
    async fn send_back(
        &self,
        first: Result<Datagram, RecvError>,
        way: &WayBack,
    ) -> Result<u64, RecvError> {
        let WayBack { listener, lanes, .. } = way;
        let first = first?;
        let next = self.socket.try_recv();
        let Ok(Some(next)) = next else {
            match listener.send_back(&first.data, &self.path).await {
                Ok(()) => _ = self.bytes_out.fetch_add(first.data.len() as u64, Relaxed),
                Err(error) => self.note_not_sent_back(&error),
            }
            return next.map(|_| 1);
        };
        let mut batch = lanes.0[self.number as usize % LANES].lock().await;
        // What is in it is somebody else's.
        batch.clear();
        let more = self.socket.try_recv_many(&mut batch);
        let answers: Vec<_> = [&first.data[..], &next.data]
            .into_iter()
            .chain(batch.iter().map(|more| more.data))
            .map(|data| self.path.answer(data))
            .collect();
        let report = listener.send_many(&answers).await;
        let bytes: usize = answers.iter().map(|answer| answer.data().len()).sum();
        let mut unsent = 0;
        for failed in report.failed {
            unsent += answers[failed.index].data().len();
            self.note_not_sent_back(&failed.error);
        }
        self.bytes_out.fetch_add((bytes - unsent) as u64, Relaxed);
        more.map(|more| 2 + more as u64)
    }

    /// Looks whether the target says that nobody is there, while its word may be on the way.
    pub(super) fn look(&self) {
        if self.last().elapsed() < ANSWER_WAIT {
            self.socket.check_peer();
        }
    }

    fn note_not_sent_back(&self, error: &SendError) {
        tracing::debug!(client = %self.path.peer(), %error, "not sent back");
    }

    fn tell_unreachable(&self, teller: &Teller, kind: ErrorKind) {
        let why = match kind {
            ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            kind => kind.to_string(),
        };
        let text = format!("udp {} is unreachable: {why}", self.target);
        teller.say(&format!("client {}: {text}", self.number));
        teller.tell(self.error("send", text));
    }

    /// That something of the target's side failed.
    fn error(&self, operation: &'static str, error: String) -> EventLine {
        EventLine::Error { client: Some(self.number), operation, error }
    }

    fn touch(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last_ms.load(Relaxed))
    }

    pub(super) fn greeting(&self) -> EventLine {
        EventLine::Connected { client: Some(self.number), peer: self.path.peer() }
    }

    /// That it sent a datagram.
    pub(super) fn said(&self, len: usize) -> EventLine {
        EventLine::Data { client: Some(self.number), peer: Some(self.path.peer()), len }
    }

    pub(super) fn farewell(&self) -> EventLine {
        EventLine::Disconnected {
            client: Some(self.number),
            peer: self.path.peer(),
            reason: self.ending().unwrap_or(Ending::Shutdown).name(),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
        }
    }
}
