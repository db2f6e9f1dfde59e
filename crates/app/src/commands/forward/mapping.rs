//! A client of a UDP forwarding, with its socket to the target: a mapping, as a NAT has it (RFC 4787
//! section 4).

mod way_back;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sockets_udp::{Outgoing, ReturnPath, SendError, UdpSocket};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::way_back::{Lanes, WayBack, new_batch};
use super::ledger::Loss;
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

/// Answers that could not be sent back.
#[derive(Debug, Default)]
struct Unsent {
    /// What is not told yet.
    loss: Loss,
    /// Why the last one could not, as it was told.
    why: String,
    /// None can.
    is_for_good: bool,
}

/// A client: an address that sends, and the one of this machine that it sends to.
pub(super) struct Mapping {
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
    /// Answers that were taken from the target, and are not given to the client's kernel yet.
    in_hand: Mutex<Loss>,
    unsent: Mutex<Unsent>,
    /// It was told that nobody is at the target.
    is_unreachable: AtomicBool,
    /// How many datagrams that the kernel dropped are told.
    drops_told: AtomicU64,
    ended: Mutex<Option<Ending>>,
    over: CancellationToken,
}

impl Mapping {
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
            in_hand: Mutex::default(),
            unsent: Mutex::default(),
            is_unreachable: AtomicBool::new(false),
            drops_told: AtomicU64::new(0),
            ended: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn path(&self) -> ReturnPath {
        self.path
    }

    /// The first ending holds. From now on the client gets a new mapping.
    pub(super) fn end(&self, ending: Ending) {
        self.ended().get_or_insert(ending);
        self.over.cancel();
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        *self.ended()
    }

    /// Ends it where it was silent for so long. What the client says is either before this, or is for
    /// its next mapping.
    fn end_if_silent(&self, idle: Duration) -> bool {
        let mut ended = self.ended();
        let is_silent = self.last().elapsed() >= idle;
        if is_silent {
            ended.get_or_insert(Ending::Idle);
            self.over.cancel();
        }
        is_silent
    }

    /// Notes that the client said something, unless it is over.
    fn hear(&self) -> bool {
        let ended = self.ended();
        let is_over = ended.is_some();
        if !is_over {
            self.touch();
        }
        !is_over
    }

    fn ended(&self) -> MutexGuard<'_, Option<Ending>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends on what the client said; how many of the datagrams were dealt with before the mapping
    /// was over. What the kernel does not take is counted by the socket's statistics, and told.
    pub(super) async fn to_target(&self, datagrams: &[&[u8]], way: &WayBack) -> usize {
        if !self.hear() {
            return 0;
        }
        if let [data] = datagrams {
            return self.one_to_target(data, way).await;
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
                self.tell_not_forwarded(failed.error, way);
            }
        }
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
        over_from
    }

    /// As [`to_target`](Self::to_target), without what only several are worth.
    async fn one_to_target(&self, data: &[u8], way: &WayBack) -> usize {
        match self.socket.send_to(data, self.target).await {
            Ok(()) => _ = self.bytes_in.fetch_add(data.len() as u64, Relaxed),
            Err(SendError::Closed { .. }) => return 0,
            Err(error) => self.tell_not_forwarded(error, way),
        }
        1
    }

    /// Answers that were taken and not given on.
    pub(super) fn in_hand(&self) -> Loss {
        *self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, loss: Loss) {
        *self.in_hand.lock().unwrap_or_else(PoisonError::into_inner) = loss;
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// To be told after the end of its way back, when the bytes are all counted.
    pub(super) fn farewell(&self) -> EventLine {
        EventLine::Disconnected {
            client: Some(self.number),
            peer: self.path.peer(),
            reason: self.ending().unwrap_or(Ending::Shutdown).name(),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            discarded: 0,
        }
    }
}
