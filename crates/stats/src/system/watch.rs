//! The life of the machine's sockets as a stream of events.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use self::lives::{Life, Lives};
use self::record::record_ended;
pub use self::record::{ProcessRecord, SocketRecord};
use super::{
    Change, EndedSocket, Endings, EndingsError, Query, Snapshot, SnapshotError, State,
    SystemSockets,
};

mod lives;
mod record;

/// What happened to a socket.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SocketEvent {
    /// When it was seen: after it happened, by up to the time between two polls.
    pub time: SystemTime,
    /// What.
    #[serde(flatten)]
    pub kind: SocketEventKind,
    /// To which.
    pub socket: SocketRecord,
}

/// What can happen to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SocketEventKind {
    /// It is there since the last look.
    Opened,
    /// It is in another state.
    Changed {
        /// The state before.
        from: State,
    },
    /// It is gone.
    Closed {
        /// How long it was seen, at least.
        seen: Duration,
        /// Whether its beginning was seen as well; if not, it is older than that.
        is_whole: bool,
        /// Bytes received, where `TCP_INFO` told: all of them if its end was heard, or else those up to
        /// the last look with details.
        bytes_received: Option<u64>,
        /// Bytes that the peer acknowledged, in the same way.
        bytes_acknowledged: Option<u64>,
    },
}

/// Looks at the machine's sockets again and again, and says what happened in between.
///
/// A connection is one from its beginning to the end of TIME-WAIT, which is told as a change of its
/// state, and has one end: that its process has closed it is none.
///
/// It does not wait: the caller polls it as often as it likes. What is kept is bounded by the
/// sockets that there are and by [`capacity`](Self::capacity).
#[derive(Debug)]
pub struct SocketWatch {
    query: Query,
    sockets: SystemSockets,
    endings: Option<Endings>,
    capacity: usize,
    previous: Option<Snapshot>,
    lives: Lives,
    heard: Vec<EndedSocket>,
}

/// What one poll saw.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SocketEvents {
    /// First what was closed; then what was heard to have come and gone; then what was opened or
    /// changed. So of two sockets with the same ends the end of the one comes before the beginning of
    /// the other.
    pub events: Vec<SocketEvent>,
    /// Events beyond the capacity, which are not in the list.
    pub dropped: u64,
    /// How often the kernel has lost ends of sockets so far ([`Endings::losses`]).
    pub losses: u64,
}

impl SocketWatch {
    /// Events given by one poll at most, unless [`capacity`](Self::capacity) says otherwise; also
    /// the ends of sockets taken in by one.
    pub const DEFAULT_CAPACITY: usize = 65_536;

    /// Looks at the sockets of `query`; nothing is read before the first poll.
    pub fn new(query: Query) -> Self {
        Self {
            query,
            sockets: SystemSockets::new(),
            endings: None,
            capacity: Self::DEFAULT_CAPACITY,
            previous: None,
            lives: Lives::default(),
            heard: Vec::new(),
        }
    }

    /// As many events at most from one poll; those beyond are counted.
    #[must_use]
    pub const fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// Listens to the ends of sockets, too: then bytes are complete, and connections shorter than
    /// the time between two polls are seen.
    ///
    /// # Errors
    ///
    /// [`EndingsError`]. The watch is as before then.
    pub fn hear_endings(&mut self) -> Result<(), EndingsError> {
        self.endings = Some(Endings::open()?);
        Ok(())
    }

    /// The sockets of the last poll.
    pub const fn snapshot(&self) -> Option<&Snapshot> {
        self.previous.as_ref()
    }

    /// What happened since the last poll; nothing at the first one, which only looks.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; the next poll goes on from the last one that worked.
    pub fn poll(&mut self) -> Result<SocketEvents, WatchError> {
        let now = self.sockets.snapshot(&self.query)?;
        self.heard.clear();
        // After the look: of what is gone from it, most ends have been told by now.
        if let Some(endings) = &mut self.endings {
            endings.wait(Duration::ZERO, self.capacity, &mut self.heard)?;
        }
        let mut poll = Poll {
            time: now.taken(),
            at: now.taken_at(),
            capacity: self.capacity,
            found: SocketEvents {
                losses: self.endings.as_ref().map_or(0, Endings::losses),
                ..SocketEvents::default()
            },
        };
        match self.previous.take() {
            Some(previous) => self.report(&now, &previous, &mut poll),
            None => self.lives.begin(&now, poll.at),
        }
        self.previous = Some(now);
        Ok(poll.found)
    }

    fn report(&mut self, now: &Snapshot, previous: &Snapshot, poll: &mut Poll) {
        let changes = now.changes_since(previous);
        let unseen = self.lives.hear(&self.heard, &changes, (previous, now), &self.query);
        let is_heard = self.endings.is_some();
        let is_end = |change: &Change<'_>| matches!(change, Change::Closed(_));
        let (ends, others) = changes.split_at(changes.partition_point(is_end));
        for change in ends {
            let Change::Closed(row) = change else { continue };
            let times = (previous.taken_at(), poll.at);
            if let Some((life, record)) = self.lives.close(*row, times, is_heard) {
                poll.push(closed(life), || record);
            }
        }
        for ended in unseen {
            let life = Life { seen: Duration::ZERO, is_whole: false, tcp: ended.tcp };
            poll.push(closed(life), || record_ended(&ended));
        }
        for change in others {
            let (kind, record) = match *change {
                Change::Opened(row) => (SocketEventKind::Opened, self.lives.open(row, poll.at)),
                Change::StateChanged { before, after } => {
                    let kind = SocketEventKind::Changed { from: before.state() };
                    (kind, self.lives.change(before, after))
                }
                Change::Closed(_) => continue,
            };
            if let Some(record) = record {
                poll.push(kind, || record);
            }
        }
        self.lives.forget(poll.at);
    }
}

const fn closed(Life { seen, is_whole, tcp }: Life) -> SocketEventKind {
    let (bytes_received, bytes_acknowledged) = match tcp {
        Some(tcp) => (tcp.bytes_received, tcp.bytes_acknowledged),
        None => (None, None),
    };
    SocketEventKind::Closed { seen, is_whole, bytes_received, bytes_acknowledged }
}

/// The events of one poll as they are found.
struct Poll {
    time: SystemTime,
    at: Instant,
    capacity: usize,
    found: SocketEvents,
}

impl Poll {
    fn push(&mut self, kind: SocketEventKind, socket: impl FnOnce() -> SocketRecord) {
        if self.found.events.len() < self.capacity {
            self.found.events.push(SocketEvent { time: self.time, kind, socket: socket() });
        } else {
            self.found.dropped += 1;
        }
    }
}

/// Why a poll saw nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The sockets could not be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The ends of sockets could not be read.
    #[error(transparent)]
    Endings(#[from] EndingsError),
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
