//! The socket's entry in the statistics.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use ports_core::Transport;
use stats::{CloseReason, ErrorKind, Inbound, Outbound, Recorder, Role, SocketStats};

/// What one socket records. Without statistics every call does nothing.
///
/// The halves have a lock each, because any number of tasks may send and receive; it is held for
/// a few nanoseconds and seldom contended, next to a system call each time.
#[derive(Debug)]
pub(crate) struct Account(Option<Lanes>);

#[derive(Debug)]
struct Lanes {
    recorder: Recorder,
    inbound: Mutex<Inbound>,
    outbound: Mutex<Outbound>,
}

impl Account {
    pub(crate) fn open(stats: Option<&SocketStats>, local: SocketAddr) -> Self {
        Self(stats.map(|stats| {
            let mut recorder = stats.open(Transport::Udp, Role::Peer, local);
            let (inbound, outbound) = recorder.split();
            Lanes { recorder, inbound: Mutex::new(inbound), outbound: Mutex::new(outbound) }
        }))
    }

    pub(crate) fn received(&self, bytes: usize) {
        if let Some(lanes) = &self.0 {
            lanes.inbound.lock().unwrap_or_else(PoisonError::into_inner).received(bytes);
        }
    }

    /// As [`received`](Self::received) of each, in one go.
    pub(crate) fn received_all(&self, lengths: impl Iterator<Item = usize>) {
        if let Some(lanes) = &self.0 {
            let mut inbound = lanes.inbound.lock().unwrap_or_else(PoisonError::into_inner);
            lengths.for_each(|bytes| inbound.received(bytes));
        }
    }

    pub(crate) fn dropped(&self, datagrams: u32) {
        if let Some(lanes) = &self.0 {
            let mut inbound = lanes.inbound.lock().unwrap_or_else(PoisonError::into_inner);
            inbound.dropped(datagrams.into());
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        if let Some(lanes) = &self.0 {
            lanes.outbound.lock().unwrap_or_else(PoisonError::into_inner).sent(bytes);
        }
    }

    /// As [`sent`](Self::sent) of each, in one go.
    pub(crate) fn sent_all(&self, lengths: impl Iterator<Item = usize>) {
        if let Some(lanes) = &self.0 {
            let mut outbound = lanes.outbound.lock().unwrap_or_else(PoisonError::into_inner);
            lengths.for_each(|bytes| outbound.sent(bytes));
        }
    }

    /// Counts a datagram that was to be sent and was given up.
    pub(crate) fn unsent(&self, bytes: usize) {
        if let Some(lanes) = &self.0 {
            let mut outbound = lanes.outbound.lock().unwrap_or_else(PoisonError::into_inner);
            outbound.dropped(1, bytes as u64);
        }
    }

    pub(crate) fn error(&self, kind: ErrorKind) {
        if let Some(lanes) = &self.0 {
            lanes.recorder.error(kind);
        }
    }

    pub(crate) fn close(self, reason: CloseReason) {
        if let Some(lanes) = self.0 {
            lanes.recorder.close(reason);
        }
    }
}
