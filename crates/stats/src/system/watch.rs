//! The life of the machine's sockets as a stream of events.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use self::record::record_ended;
pub use self::record::{ProcessRecord, SocketRecord};
use super::number_map::NumberMap;
use super::{
    Change, EndedSocket, Endings, EndingsError, Query, Snapshot, SnapshotError, State,
    SystemSockets, TcpDetails,
};

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
/// It does not wait: the caller polls it as often as it likes. What is kept is bounded by the
/// sockets that there are and by [`capacity`](Self::capacity).
#[derive(Debug)]
pub struct SocketWatch {
    query: Query,
    sockets: SystemSockets,
    endings: Option<Endings>,
    capacity: usize,
    previous: Option<Snapshot>,
    /// By cookie, since when each socket is seen, and whether from its beginning.
    seen: NumberMap<(Instant, bool)>,
    /// By cookie, those whose end was heard while they are still listed (TIME-WAIT).
    ended: NumberMap<EndedSocket>,
    heard: Vec<EndedSocket>,
}

/// What one poll saw.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SocketEvents {
    /// In the order: closed, opened and changed, heard to have come and gone.
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
            seen: NumberMap::default(),
            ended: NumberMap::default(),
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
    /// [`EndingsError`]: without `CAP_NET_ADMIN`. The watch is as before then.
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
        self.heard.clear();
        // Before the look: what ended before it is not in it, but for TIME-WAIT.
        if let Some(endings) = &mut self.endings {
            endings.wait(Duration::ZERO, self.capacity, &mut self.heard)?;
        }
        let now = self.sockets.snapshot(&self.query)?;
        let mut poll = Poll {
            time: now.taken(),
            at: now.taken_at(),
            capacity: self.capacity,
            found: SocketEvents {
                losses: self.endings.as_ref().map_or(0, Endings::losses),
                ..SocketEvents::default()
            },
        };
        let heard = std::mem::take(&mut self.heard);
        let previous = self.previous.take();
        if let Some(previous) = &previous {
            let mut unlisted = self.sort_endings(&heard, previous, &now);
            self.report_changes(&now, previous, &mut poll);
            unlisted.retain(|ended| self.query.matches(&record::row_of(ended)));
            for ended in unlisted {
                poll.push(closed(Duration::ZERO, false, ended.tcp), || record_ended(&ended));
            }
        } else {
            for row in now.iter() {
                self.seen.extend(row.cookie().map(|cookie| (cookie, (poll.at, false))));
            }
        }
        self.heard = heard;
        self.previous = Some(now);
        Ok(poll.found)
    }

    /// Keeps those of the ends that belong to sockets seen; returns the others, which came and went
    /// unseen.
    fn sort_endings(
        &mut self,
        heard: &[EndedSocket],
        previous: &Snapshot,
        now: &Snapshot,
    ) -> Vec<EndedSocket> {
        if heard.is_empty() {
            return Vec::new();
        }
        let cookies = |snapshot: &Snapshot| snapshot.rows.iter().map(|row| row.cookie).collect();
        let (then, now): (super::number_map::NumberSet, super::number_map::NumberSet) =
            (cookies(previous), cookies(now));
        let mut unlisted = Vec::new();
        for ended in heard {
            match ended.cookie {
                Some(cookie) if then.contains(&cookie) || now.contains(&cookie) => {
                    self.ended.insert(cookie, *ended);
                }
                _ => unlisted.push(*ended),
            }
        }
        unlisted
    }

    fn report_changes(&mut self, now: &Snapshot, previous: &Snapshot, poll: &mut Poll) {
        for change in now.changes_since(previous) {
            match change {
                Change::Opened(row) => {
                    self.seen.extend(row.cookie().map(|cookie| (cookie, (poll.at, true))));
                    poll.push(SocketEventKind::Opened, || SocketRecord::of(row));
                }
                Change::StateChanged { before, after } => {
                    let kind = SocketEventKind::Changed { from: before.state() };
                    poll.push(kind, || SocketRecord::of(after));
                }
                Change::Closed(row) => {
                    let cookie = row.cookie().unwrap_or_default();
                    let (since, is_whole) =
                        self.seen.remove(&cookie).unwrap_or((previous.taken_at(), false));
                    let ended = self.ended.remove(&cookie).and_then(|ended| ended.tcp);
                    let tcp = ended.or_else(|| row.details().and_then(|details| details.tcp));
                    let seen = poll.at.saturating_duration_since(since);
                    poll.push(closed(seen, is_whole, tcp), || SocketRecord::of(row));
                }
            }
        }
    }
}

const fn closed(seen: Duration, is_whole: bool, tcp: Option<TcpDetails>) -> SocketEventKind {
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
