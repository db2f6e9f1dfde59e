//! What a client's handle and its task share.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ports_core::{SocketInfo, SocketState, Transport};
use stats::SocketStats;
use tokio_util::sync::CancellationToken;

use super::{ClientEvent, Target};
use crate::events::{Publisher, lock};
use crate::link::Link;

/// Where the client stands.
#[derive(Clone)]
pub(super) enum State {
    Connecting,
    Connected(Arc<Link>),
    Closed,
}

/// See the module's first line.
pub(super) struct Shared {
    pub(super) target: Target,
    pub(super) events: Publisher<ClientEvent>,
    pub(super) stats: SocketStats,
    /// Cancelled by `close` and by dropping the client: nothing connects after that.
    pub(super) stop: CancellationToken,
    /// `finish` was called: the connection that stands is the last one.
    finished: AtomicBool,
    unsent: AtomicUsize,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(target: Target, events: Publisher<ClientEvent>, stats: SocketStats) -> Self {
        Self {
            target,
            events,
            stats,
            stop: CancellationToken::new(),
            finished: AtomicBool::new(false),
            unsent: AtomicUsize::new(0),
            state: Mutex::new(State::Connecting),
        }
    }

    pub(super) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub(super) fn enter(&self, state: State) {
        *lock(&self.state) = state;
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        match self.state() {
            State::Connected(link) => Some(link),
            State::Connecting | State::Closed => None,
        }
    }

    /// Whether the present connection, or try, is the last one.
    pub(super) fn is_final(&self) -> bool {
        self.stop.is_cancelled() || self.finished.load(Ordering::Acquire)
    }

    pub(super) fn set_finished(&self) {
        self.finished.store(true, Ordering::Release);
    }

    pub(super) fn unsent(&self, bytes: usize) {
        self.unsent.store(bytes, Ordering::Release);
    }

    /// Bytes accepted for sending that the last connection lost, or still has.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.link().map_or_else(
            || self.unsent.load(Ordering::Acquire),
            |link| {
                let traffic = link.traffic();
                traffic.lost.bytes + traffic.queued.bytes
            },
        )
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
