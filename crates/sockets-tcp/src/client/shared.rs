//! What a client's handle and its task share.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ports_core::{SocketInfo, SocketState, Transport};
use stats::SocketStats;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{ClientEvent, Target};
use crate::close_reason::CloseReason;
use crate::events::{Publisher, lock};
use crate::link::{Closing, Link};
use crate::outbox::{Loss, Outbox, QueueLimits};

/// Where the client stands.
#[derive(Clone)]
pub(super) enum State {
    Connecting,
    Connected(Arc<Link>),
    Closed,
}

/// How the client is ended for good.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// In order; at the deadline it is aborted.
    Close { deadline: Option<Instant> },
    /// At once.
    Drop,
    /// At once, and so that the server does not take the stream for whole if it is not.
    CutOff,
    /// At once, and so that the server does not take the stream for whole.
    Abort,
}

impl Ending {
    /// Ends a connection in this way.
    fn apply(self, link: &Link) {
        match self {
            Self::Close { deadline } => {
                link.leave_to_grace(deadline);
                // Whoever ended first: a close behind the peer's end is the answer to it.
                let reason =
                    if link.peer_ended() { CloseReason::PeerClosed } else { CloseReason::Local };
                link.close(Closing::Finish(reason));
            }
            Self::Drop => link.close(Closing::Abort(CloseReason::Local)),
            Self::CutOff => link.cut_off(CloseReason::Local, true),
            Self::Abort => link.abort(CloseReason::Local),
        }
    }

    fn severity(self) -> u8 {
        match self {
            Self::Close { .. } => 0,
            Self::Drop => 1,
            Self::CutOff => 2,
            Self::Abort => 3,
        }
    }
}

/// What became of a message that was offered.
pub(super) enum Place {
    /// The connection is to take it.
    Link(Arc<Link>),
    /// It waits for a connection.
    Held,
    /// There is no room for it before there is a connection.
    Full,
    /// There is no connection, and nothing waits for one.
    Nowhere,
    /// The client is closed.
    Closed,
}

/// Where the client stands, and what waits for a connection: nothing while there is one.
struct Standing {
    state: State,
    held: Outbox,
    /// How the client is to be ended, if it is.
    ending: Option<Ending>,
    /// `finish` was called: the connection that stood then is the last one.
    finished: bool,
    /// What the last connection lost, and since the end what had waited for another one.
    unsent: Loss,
    /// Bytes in and out over the connections that are over.
    moved: (u64, u64),
}

impl Standing {
    /// Whether the present connection, or try, is the last one.
    fn is_final(&self) -> bool {
        self.ending.is_some() || self.finished
    }

    /// Bytes in and out, over all connections.
    fn moved(&self) -> (u64, u64) {
        let (mut bytes_in, mut bytes_out) = self.moved;
        if let State::Connected(link) = &self.state {
            let traffic = link.traffic();
            bytes_in += traffic.bytes_in;
            bytes_out += traffic.bytes_out;
        }
        (bytes_in, bytes_out)
    }

    /// Leaves a connection that is over, if there is one.
    fn leave(&mut self, state: State) {
        self.moved = self.moved();
        self.state = state;
    }
}

/// See the module's first line.
pub(crate) struct Shared {
    pub(super) target: Target,
    pub(super) events: Publisher<ClientEvent>,
    pub(super) stats: SocketStats,
    /// The bounds of what is queued, with or without a connection.
    pub(super) limits: QueueLimits,
    /// Messages outlive their connection.
    pub(super) keeps: bool,
    /// Cancelled when the client is to be ended: nothing connects after that.
    pub(super) stop: CancellationToken,
    /// Told whenever the client stands elsewhere.
    pub(super) moved: Notify,
    /// Of the last connection, once it is over; and of all before it.
    unacknowledged: AtomicUsize,
    unacknowledged_before: AtomicUsize,
    /// Bytes that `recv` gave out.
    given: AtomicU64,
    standing: Mutex<Standing>,
}

impl Shared {
    pub(super) fn new(
        target: Target,
        events: Publisher<ClientEvent>,
        stats: SocketStats,
        limits: QueueLimits,
        keeps: bool,
    ) -> Self {
        Self {
            target,
            events,
            stats,
            limits,
            keeps,
            stop: CancellationToken::new(),
            moved: Notify::new(),
            unacknowledged: AtomicUsize::new(0),
            unacknowledged_before: AtomicUsize::new(0),
            standing: Mutex::new(Standing {
                state: State::Connecting,
                held: Outbox::new(limits),
                ending: None,
                finished: false,
                unsent: Loss::default(),
                moved: (0, 0),
            }),
            given: AtomicU64::new(0),
        }
    }

    pub(super) fn state(&self) -> State {
        lock(&self.standing).state.clone()
    }

    /// There is a connection: it takes over what waited, before anything newer. Where the client was
    /// ended meanwhile, so is the connection, in the same way.
    pub(super) fn connected(&self, link: &Arc<Link>) {
        let before = self.unacknowledged.swap(0, Ordering::AcqRel);
        self.unacknowledged_before.fetch_add(before, Ordering::AcqRel);
        let mut standing = lock(&self.standing);
        link.preload(standing.held.take());
        standing.state = State::Connected(Arc::clone(link));
        let ending = standing.ending;
        drop(standing);
        if let Some(ending) = ending {
            ending.apply(link);
        }
        self.moved.notify_waiters();
    }

    /// The connection is lost. What it kept waits for the next one, or is lost where none follows;
    /// how much waits.
    ///
    /// Whether it was the last one is decided at this moment: nobody ends its stream after it.
    pub(super) fn disconnected(&self, link: &Link) -> Loss {
        // Before the link is out of sight: whoever asks meanwhile finds the one or the other.
        self.unacknowledged.store(link.unacknowledged(), Ordering::Release);
        let mut standing = lock(&self.standing);
        standing.leave(State::Connecting);
        // At once, so that whoever asks meanwhile misses nothing.
        standing.unsent = link.traffic().lost;
        let (mut waits, is_final) = (Loss::default(), standing.is_final());
        if !is_final {
            for message in link.take_kept() {
                waits += Loss::message(message.len());
                standing.held.push(message);
            }
        }
        drop(standing);
        if is_final {
            link.lose_kept();
        }
        self.moved.notify_waiters();
        waits
    }

    /// Ends the client for good: its connection, or the one that is just being made. The connection.
    pub(super) fn end(&self, ending: Ending) -> Option<Arc<Link>> {
        let (at_once, mut standing) = (matches!(ending, Ending::Drop), lock(&self.standing));
        let holds = standing.ending.filter(|held| held.severity() > ending.severity());
        let ending = *standing.ending.insert(holds.unwrap_or(ending));
        let state = standing.state.clone();
        drop(standing);
        self.stop.cancel();
        let State::Connected(link) = state else { return None };
        ending.apply(&link);
        if at_once {
            // A client that was cut off leaves a stream that is out to its connection's task.
            Ending::Drop.apply(&link);
        }
        Some(link)
    }

    /// The connection that stands, whose stream is to be ended; it is the last one from here on.
    pub(super) fn finish_standing(&self) -> State {
        let mut standing = lock(&self.standing);
        standing.finished |= matches!(standing.state, State::Connected(_));
        standing.state.clone()
    }

    /// Nothing comes any more. What waited is lost.
    pub(super) fn closed(&self) -> Loss {
        let mut standing = lock(&self.standing);
        standing.leave(State::Closed);
        let (loss, messages) = standing.held.clear();
        standing.unsent += loss;
        drop(standing);
        // Not under the lock: their owner's code may run.
        drop(messages);
        self.moved.notify_waiters();
        loss
    }

    /// Where a message goes now; it is taken in where it has to wait for a connection.
    pub(super) fn place(&self, message: &Bytes) -> Place {
        let mut standing = lock(&self.standing);
        match &standing.state {
            State::Connected(link) => Place::Link(Arc::clone(link)),
            State::Closed => Place::Closed,
            State::Connecting if !self.keeps => Place::Nowhere,
            State::Connecting if standing.is_final() => Place::Closed,
            State::Connecting if message.is_empty() => Place::Held,
            State::Connecting if standing.held.fits(message.len()) => {
                standing.held.push(message.clone());
                Place::Held
            }
            State::Connecting => Place::Full,
        }
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        match self.state() {
            State::Connected(link) => Some(link),
            State::Connecting | State::Closed => None,
        }
    }

    /// Whether the present connection, or try, is the last one.
    pub(super) fn is_final(&self) -> bool {
        lock(&self.standing).is_final()
    }

    /// Notes what a connection lost, and what the kernel held for it at its end.
    pub(super) fn lost(&self, unsent: Loss, unacknowledged: usize) {
        lock(&self.standing).unsent = unsent;
        self.unacknowledged.store(unacknowledged, Ordering::Release);
    }

    /// Notes that `recv` gives out so many bytes.
    pub(super) fn give(&self, bytes: usize) {
        self.given.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// Bytes that were sent, and bytes that were received and not given out.
    pub(super) fn sent_and_unread(&self) -> (u64, u64) {
        let given = self.given.load(Ordering::Acquire);
        let (bytes_in, bytes_out) = lock(&self.standing).moved();
        (bytes_out, bytes_in.saturating_sub(given))
    }

    /// Bytes that the kernel holds, or held at the end of the last connection, and the server has
    /// not acknowledged.
    pub(super) fn unacknowledged_bytes(&self) -> usize {
        match self.state() {
            State::Connected(link) => link.unacknowledged(),
            State::Connecting | State::Closed => self.unacknowledged.load(Ordering::Acquire),
        }
    }

    /// The same of the connections before it, together.
    pub(super) fn unacknowledged_before(&self) -> usize {
        self.unacknowledged_before.load(Ordering::Acquire)
    }

    /// What was accepted for sending and the last connection lost, or still waits.
    pub(super) fn unsent(&self) -> Loss {
        let standing = lock(&self.standing);
        let mut unsent = Loss { messages: standing.held.len(), bytes: standing.held.bytes() };
        match &standing.state {
            State::Connected(link) => {
                let traffic = link.traffic();
                unsent += traffic.lost;
                unsent += traffic.queued;
            }
            State::Connecting | State::Closed => unsent += standing.unsent,
        }
        unsent
    }

    pub(super) fn info(&self) -> SocketInfo {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let mut info = SocketInfo::new(Transport::Tcp, nowhere);
        let next = match self.state() {
            State::Connected(link) => {
                info = SocketInfo::connected(link.tuple());
                link.is_closing().then_some(SocketState::Closing)
            }
            State::Connecting => Some(SocketState::Connecting),
            State::Closed => None,
        };
        if let Some(next) = next {
            // Both steps are legal from where the socket was just put.
            let _ = info.become_state(next);
        }
        info
    }
}

#[cfg(test)]
mod tests;
