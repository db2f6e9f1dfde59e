//! The life of the machine's sockets as a stream of events.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use self::lives::{Life, Lives};
use self::record::record_ended;
pub use self::record::{ProcessRecord, SocketRecord};
use super::{
    Change, EndedSocket, Endings, EndingsError, Query, Snapshot, SnapshotError, SocketRow, State,
    SystemSockets, Traffic,
};
use crate::system::changes::Pairing;

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
        /// the last look with traffic or details.
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
/// That a socket is gone is told after a second look for it ([`SystemSockets::snapshot_after`]): while
/// sockets come and go the kernel may leave out others. One that it leaves out at its first look is
/// told as opened later than it was. Where some are read from `/proc` there is no second look, and one
/// that was left out is told as closed and opened.
///
/// It does not wait: the caller polls it as often as it likes. What is kept is bounded by the
/// sockets that there are, by [`capacity`](Self::capacity) and by [`MOST_AWAITED`](Self::MOST_AWAITED).
#[derive(Debug)]
pub struct SocketWatch {
    query: Query,
    sockets: SystemSockets,
    endings: Option<Endings>,
    capacity: usize,
    previous: Option<Arc<Snapshot>>,
    lives: Lives,
    /// Ends that are not told yet: also those that a poll had heard before it failed.
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
    /// Sockets so far that were told as closed, whose own end was not heard after that, and that had to
    /// be forgotten ([`SocketWatch::MOST_AWAITED`]): where it is heard yet, the socket is told as closed
    /// again, as one that no look saw.
    pub forgotten: u64,
    /// Whether the look is known not to be whole ([`Coverage::interrupted`](super::Coverage)).
    pub interrupted: bool,
    /// Whether this look could not be compared with the one before, and is a first one: the sockets come
    /// from `/proc` now and did not before, or the other way round. What happened in between is not told.
    pub restarted: bool,
}

impl SocketWatch {
    /// Events given by one poll at most, unless [`capacity`](Self::capacity) says otherwise; also
    /// the ends of sockets taken in by one.
    pub const DEFAULT_CAPACITY: usize = 65_536;

    /// Sockets that were told as closed before their own end was heard, at most: half of them, the older
    /// ones, are forgotten when there are more. The kernel tells of an end within milliseconds, or, where
    /// it had to drop it, never.
    pub const MOST_AWAITED: usize = 65_536;

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
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.previous.as_deref()
    }

    /// The same, to be kept beyond the next poll without a copy.
    pub fn shared_snapshot(&self) -> Option<Arc<Snapshot>> {
        self.previous.clone()
    }

    /// What happened since the last poll; nothing at the first one, which only looks.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; the next poll goes on from the last one that worked.
    pub fn poll(&mut self) -> Result<SocketEvents, WatchError> {
        self.poll_beside(|_, _| {})
    }

    /// As [`poll`](Self::poll); `each` is given every socket that there is, and how it was at the last
    /// poll that worked, as by [`Snapshot::beside`] but without pairing them once more. Nothing where there
    /// is nothing to compare with: at the first poll, and where this one is a first one again
    /// ([`SocketEvents::restarted`]).
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll); `each` is given nothing then.
    pub fn poll_beside(
        &mut self,
        each: impl FnMut(SocketRow<'_>, Option<SocketRow<'_>>),
    ) -> Result<SocketEvents, WatchError> {
        let now = match &self.previous {
            Some(previous) => self.sockets.snapshot_after(&self.query, previous)?,
            None => self.sockets.snapshot(&self.query)?,
        };
        // After the look: of what is gone from it, most ends have been told by now.
        if let Some(endings) = &mut self.endings {
            let room = self.capacity.saturating_sub(self.heard.len());
            endings.wait(Duration::ZERO, room, &mut self.heard)?;
        }
        Ok(self.take_in(now, each))
    }

    /// What happened until `now`, by that look and by what was heard.
    fn take_in(
        &mut self,
        now: Snapshot,
        each: impl FnMut(SocketRow<'_>, Option<SocketRow<'_>>),
    ) -> SocketEvents {
        let mut poll = Poll {
            time: now.taken(),
            at: now.taken_at(),
            capacity: self.capacity,
            found: SocketEvents {
                losses: self.endings.as_ref().map_or(0, Endings::losses),
                interrupted: now.coverage().interrupted,
                ..SocketEvents::default()
            },
        };
        let from_proc = |snapshot: &Snapshot| snapshot.coverage().from_proc;
        match self.previous.take() {
            Some(previous) if from_proc(&previous) == from_proc(&now) => {
                let pairing = Pairing::of(&previous, &now);
                now.each_beside(&previous, &pairing, each);
                self.report(&now.changes(&previous, pairing), (&previous, &now), &mut poll);
            }
            previous => {
                poll.found.restarted = previous.is_some();
                self.lives.begin(&now, poll.at);
            }
        }
        self.heard.clear();
        poll.found.forgotten = self.lives.forgotten();
        self.previous = Some(Arc::new(now));
        poll.found
    }

    fn report(
        &mut self,
        changes: &[Change<'_>],
        (previous, now): (&Snapshot, &Snapshot),
        poll: &mut Poll,
    ) {
        let unseen = self.lives.hear(&self.heard, changes, (previous, now), &self.query);
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
            let traffic = ended.tcp.as_ref().and_then(Traffic::of);
            let life = Life { seen: Duration::ZERO, is_whole: false, traffic };
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
    }
}

fn closed(Life { seen, is_whole, traffic }: Life) -> SocketEventKind {
    let bytes_received = traffic.map(|traffic| traffic.received);
    let bytes_acknowledged = traffic.map(|traffic| traffic.acknowledged);
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
