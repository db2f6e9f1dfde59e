//! One connection's shared state: what its task, its handler and those who send to it work on.
//!
//! Two short locks, one per direction, are held over at most one non-blocking system call. The
//! connection's own task waits for the socket; everybody else only leaves work for it.

mod acknowledged;
mod cutting;
mod discarding;
mod failing;
mod flushing;
mod keeping;
mod line;
mod locked;
mod missing;
mod receiving;
mod sending;
mod standstill;
mod writing;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ports_core::FiveTuple;
use stats::{Inbound, Outbound};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::close_reason::CloseReason;
use crate::events::lock;
use crate::observer::Observer;
use crate::outbox::{Loss, Outbox, QueueLimits};
use crate::stream::Stream;
#[cfg(test)]
use crate::tcp::Tcp;

pub(crate) use flushing::Attended;
pub(crate) use line::Sent;
use receiving::Receiving;
pub(crate) use sending::Offer;
use sending::Sending;

/// How a connection is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The handler ends now; what is queued goes out, then the end of the stream.
    Finish(CloseReason),
    /// Everything ends now; what is queued is lost, and said so.
    Abort(CloseReason),
}

impl Closing {
    pub(crate) fn reason(self) -> CloseReason {
        match self {
            Self::Finish(reason) | Self::Abort(reason) => reason,
        }
    }
}

/// What a connection moved so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: u64,
    /// Came, and was thrown away: not in `bytes_in`.
    pub(crate) discarded: u64,
    pub(crate) bytes_out: u64,
    pub(crate) queued: Loss,
    pub(crate) lost: Loss,
    pub(crate) dropped: Loss,
}

/// See the module's first lines.
///
/// Each direction holds the socket under its own lock; when the connection is buried both let go
/// of it, so that the descriptor is closed whoever still holds the link.
///
/// The first cache line is the receiving side, the second what both touch, the third and fourth the
/// sending side: see [`Sending`].
#[repr(C, align(64))]
pub(crate) struct Link {
    receiving: Mutex<Receiving>,
    pub(crate) observer: Observer,
    /// Nanoseconds from `opened` to the last byte either way; kept only where someone asks.
    last_activity: Option<AtomicU64>,
    opened: Instant,
    sending: Mutex<Sending>,
    /// Told whenever the outbox moved or will never move again.
    progress: Notify,
    tuple: FiveTuple,
    /// Of use to few, at their end: see `discarding`.
    discarded: AtomicU64,
}

impl Link {
    pub(crate) fn new(
        stream: impl Into<Stream>,
        tuple: FiveTuple,
        observer: Observer,
        limits: QueueLimits,
        (inbound, outbound): (Inbound, Outbound),
        watch_activity: bool,
    ) -> Self {
        let stream = Arc::new(stream.into());
        Self {
            tuple,
            opened: Instant::now(),
            observer,
            sending: Mutex::new(Sending::new(Arc::clone(&stream), Outbox::new(limits), outbound)),
            receiving: Mutex::new(Receiving::new(stream, inbound)),
            progress: Notify::new(),
            discarded: AtomicU64::new(0),
            last_activity: watch_activity.then(AtomicU64::default),
        }
    }

    pub(crate) fn tuple(&self) -> FiveTuple {
        self.tuple
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls_version(&self) -> Option<tokio_rustls::rustls::ProtocolVersion> {
        lock(&self.sending).stream.as_ref()?.tls_version()
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls_info(&self) -> Option<crate::tls::TlsInfo> {
        lock(&self.sending).stream.as_ref()?.tls_info()
    }

    /// How long the connection has stood.
    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let bytes_in = lock(&self.receiving).bytes_in;
        let mut sending = lock(&self.sending);
        sending.settle();
        Traffic {
            bytes_in,
            discarded: self.discarded(),
            bytes_out: sending.bytes_out,
            queued: sending.queued(),
            lost: sending.lost,
            dropped: sending.dropped,
        }
    }

    /// Asks the connection's task to end it. An abort overrides a finish; else the first one holds.
    pub(crate) fn close(&self, closing: Closing) {
        let mut sending = self.locked();
        let overrides = match sending.closing {
            None => true,
            Some(Closing::Finish(_)) => matches!(closing, Closing::Abort(_)),
            Some(Closing::Abort(_)) => false,
        };
        if overrides {
            sending.closing = Some(closing);
            let loss = sending.refuse_all();
            self.observer.dropped(loss);
            sending.moved();
            sending.wake_task();
        }
    }

    /// How the connection was asked to end, if it was.
    pub(crate) fn closing(&self) -> Option<Closing> {
        lock(&self.sending).closing
    }

    /// From now on only a grace from outside bounds how long the last bytes may stand still. Where
    /// its end is given, the connection is aborted then, whoever looks on; the earliest holds.
    pub(crate) fn leave_to_grace(&self, deadline: Option<Instant>) {
        let mut sending = self.locked();
        sending.left_to_grace = true;
        sending.deadline = match (sending.deadline, deadline) {
            (Some(earlier), Some(other)) => Some(earlier.min(other)),
            (earlier, other) => earlier.or(other),
        };
        sending.wake_task();
    }

    /// When the grace from outside ends, where that is known.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        lock(&self.sending).deadline
    }

    /// See [`Link::leave_to_grace`].
    pub(crate) fn is_left_to_grace(&self) -> bool {
        lock(&self.sending).left_to_grace
    }

    /// Closes the socket, whoever still holds the link, and drops what is left in its queue. A
    /// stream that lost bytes ends in a reset, never in what looks like its proper end; so does one of
    /// whose input bytes were lost by the end of the server, where the peer has acknowledged all.
    pub(crate) fn bury(&self) {
        let is_to_be_reset = self.is_to_be_reset();
        let mut locked = self.locked();
        let cut = locked.outbox.cut();
        let (sending, after) = locked.parts();
        sending.failed.get_or_insert(std::io::ErrorKind::NotConnected);
        let loss = sending.lose_all(after);
        let task = sending.task.take();
        if sending.truncated || is_to_be_reset && sending.unacknowledged() == 0 {
            sending.make_close_a_reset();
        }
        // Asked before the stream is gone; of one that is, it stays.
        sending.unacknowledged_at_end = sending.unacknowledged();
        let stream = sending.stream.take();
        self.observer.cut(cut);
        self.observer.dropped(loss);
        locked.moved();
        drop(locked);
        // Not under the lock: its executor may have something to do for it.
        drop(task);
        drop(stream);
        let reader = {
            let mut receiving = lock(&self.receiving);
            self.discard_unread(&mut receiving);
            receiving.bury()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// What the kernel knows of the connection; `None` once it is buried.
    #[cfg(target_os = "linux")]
    pub(crate) fn tcp_info(&self) -> Option<sockets_sys::TcpInfo> {
        let stream = lock(&self.sending).stream.clone()?;
        sockets_sys::tcp_info(stream.tcp()).ok()
    }

    #[cfg(test)]
    pub(crate) fn with_tcp<T>(&self, what: impl FnOnce(&Tcp) -> T) -> T {
        what(lock(&self.sending).stream.as_ref().unwrap().tcp())
    }

    /// How many bytes the kernel holds for this end.
    #[cfg(test)]
    pub(crate) fn arrived(&self) -> u64 {
        lock(&self.receiving).unread()
    }

    pub(crate) fn note_activity(&self) {
        if let Some(last) = &self.last_activity {
            last.store(self.opened.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Resolves once nothing has moved for `timeout`. Only for links made to watch activity.
    ///
    /// The kernel takes more for a slow peer in large and rare steps. So that a peer which takes a
    /// little all the time is not idle, it is looked whether it acknowledged something before it is
    /// given up; one that stops is noticed after twice the time at most. And it is looked whether
    /// something has come that nobody has read yet: that this end is late is not the peer's silence.
    pub(crate) async fn idle(&self, timeout: Duration) {
        let (mut taken, mut came) = (0, 0);
        loop {
            let last = self.last_activity.as_ref().map_or(0, |last| last.load(Ordering::Relaxed));
            let deadline = Duration::from_nanos(last).saturating_add(timeout);
            let left = deadline.saturating_sub(self.opened.elapsed());
            if !left.is_zero() {
                tokio::time::sleep(left).await;
                continue;
            }
            let before = (taken, came);
            let behind = {
                let sending = lock(&self.sending);
                taken = sending.taken_by_peer();
                sending.unacknowledged() > 0
            };
            let unread = {
                let receiving = lock(&self.receiving);
                let unread = receiving.unread();
                came = receiving.bytes_in + unread;
                unread > 0
            };
            if !(behind && taken != before.0 || unread && came != before.1) {
                return;
            }
            self.note_activity();
        }
    }
}

#[cfg(test)]
mod tests;
