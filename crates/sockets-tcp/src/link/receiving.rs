//! The receiving direction of a connection, and how it is drained.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use stats::{ErrorKind, Inbound};

use super::Link;
use crate::chunk::Chunk;
use crate::close_reason::CloseReason;
use crate::events::lock;
use crate::stream::Stream;

/// How far the receiving direction still has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To the peer's end of input.
    Open,
    /// To the end of what the kernel holds, which is not counted yet.
    Draining,
    /// This many bytes more.
    Left(usize),
    /// No further, and the connection is about to be closed: a read waits for that.
    Halted,
    /// No further: a read says again how it ended.
    Ended,
}

/// The receiving side's state, in the order in which a read touches it.
#[repr(C)]
pub(super) struct Receiving {
    /// `None` once the connection is buried.
    pub(super) stream: Option<Arc<Stream>>,
    pub(super) inbound: Inbound,
    pub(super) bytes_in: u64,
    phase: Phase,
    /// The reader that waits; not always the connection's own task.
    reader: Option<Waker>,
    pub(super) peer_ended: bool,
    /// The end of the server came before that of the peer's stream: what comes now is nobody's.
    pub(super) is_cut: bool,
    pub(super) failed: Option<io::ErrorKind>,
}

impl Receiving {
    pub(super) fn new(stream: Arc<Stream>, inbound: Inbound) -> Self {
        Self {
            stream: Some(stream),
            inbound,
            bytes_in: 0,
            phase: Phase::Open,
            peer_ended: false,
            is_cut: false,
            failed: None,
            reader: None,
        }
    }

    /// Who reads is to be woken.
    #[must_use]
    pub(super) fn bury(&mut self) -> Option<Waker> {
        if self.phase != Phase::Ended {
            self.fail(io::ErrorKind::ConnectionAborted);
        }
        self.stream = None;
        self.reader.take()
    }

    fn fail(&mut self, kind: io::ErrorKind) {
        self.phase = Phase::Ended;
        self.failed = Some(kind);
    }

    /// Whether draining was asked for, or more, and found neither the peer's end nor a failure.
    pub(super) fn is_draining(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Draining | Phase::Left(_) | Phase::Halted => true,
            Phase::Ended => !self.peer_ended && self.failed.is_none(),
        }
    }

    /// Nothing more is read: what the kernel holds stays there, and goes with the socket.
    pub(super) fn halt(&mut self) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Halted;
        }
    }

    /// The peer's stream has come to its end.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Ended;
        self.peer_ended = true;
    }

    fn how_it_ended(&self) -> io::Result<usize> {
        self.failed.map_or(Ok(0), |kind| Err(kind.into()))
    }

    /// How many bytes the kernel holds; 0 once the connection is buried.
    pub(super) fn unread(&self) -> u64 {
        let held = |stream: &Arc<Stream>| rustix::io::ioctl_fionread(stream.tcp()).unwrap_or(0);
        self.stream.as_ref().map_or(0, held)
    }

    fn count(&mut self, read: usize) {
        self.inbound.received(read);
        self.bytes_in += read as u64;
    }
}

impl Link {
    /// Reads once. `Ok(0)` is the end: the peer's, or of what was there when draining began.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut guard = lock(&self.receiving);
        let receiving = &mut *guard;
        let Some(stream) = &receiving.stream else {
            return Poll::Ready(receiving.how_it_ended());
        };
        if receiving.phase == Phase::Draining {
            receiving.phase = Phase::Left(stream.begin_drain());
        }
        let result = match receiving.phase {
            Phase::Ended => return Poll::Ready(receiving.how_it_ended()),
            Phase::Halted => {
                remember(&mut receiving.reader, context);
                return Poll::Pending;
            }
            Phase::Left(left) => {
                let room = buffer.len().min(left);
                let read = if room == 0 { Ok(0) } else { stream.read_now(&mut buffer[..room]) };
                match read {
                    Ok(read) => receiving.phase = Phase::Left(left - read),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        receiving.phase = Phase::Ended;
                        return Poll::Ready(Ok(0));
                    }
                    Err(_) => {}
                }
                if room == 0 {
                    receiving.phase = Phase::Ended;
                    // Nothing came behind it but the end, perhaps: then it is whole. Or a reset,
                    // which the kernel tells once.
                    match stream.is_at_end() {
                        Ok(true) => {
                            receiving.peer_ended = true;
                            drop(guard);
                            self.observer.half_closed();
                        }
                        Ok(false) => {}
                        Err(error) => {
                            self.note_read_failure(guard, &error);
                            return Poll::Ready(Err(error));
                        }
                    }
                    return Poll::Ready(Ok(0));
                }
                read
            }
            Phase::Open | Phase::Draining => match stream.poll_read(context, buffer) {
                Poll::Ready(result) => result,
                Poll::Pending => {
                    remember(&mut receiving.reader, context);
                    return Poll::Pending;
                }
            },
        };
        match result {
            Ok(0) => {
                let end = self.end_of_input(receiving);
                drop(guard);
                if end.is_ok() {
                    self.observer.half_closed();
                }
                Poll::Ready(end)
            }
            Ok(read) => {
                receiving.count(read);
                drop(guard);
                self.note_activity();
                self.observer.data(read);
                Poll::Ready(Ok(read))
            }
            Err(error) => {
                self.note_read_failure(guard, &error);
                Poll::Ready(Err(error))
            }
        }
    }

    /// As [`poll_read`](Self::poll_read), into a buffer that is held only while there is something.
    pub(crate) fn read_chunk(&self) -> impl Future<Output = io::Result<Chunk>> {
        poll_fn(|context| {
            let mut chunk = Chunk::take();
            let read = ready!(self.poll_read(context, chunk.space()))?;
            chunk.fill(read);
            Poll::Ready(Ok(chunk))
        })
    }

    /// Whether the peer has sent anything, read or not, or has come to its end.
    fn has_heard(&self) -> bool {
        let receiving = lock(&self.receiving);
        receiving.bytes_in > 0 || receiving.phase == Phase::Ended || receiving.unread() > 0
    }

    /// Resolves where the peer has sent nothing for `timeout` since the connection was made.
    pub(crate) async fn silent(&self, timeout: Duration) {
        tokio::time::sleep(timeout.saturating_sub(self.age())).await;
        if self.has_heard() {
            std::future::pending::<()>().await;
        }
    }

    /// What an end of input means. The kernel tells a reset once: where a write was told, a read
    /// gets what looks like the peer's end. A write after the peer's end and then its reset is
    /// told `EPIPE`; there the end is real.
    pub(super) fn end_of_input(&self, receiving: &mut Receiving) -> io::Result<usize> {
        match self.write_failure() {
            Some(kind) if kind != io::ErrorKind::BrokenPipe => receiving.fail(kind),
            _ => receiving.end(),
        }
        receiving.how_it_ended()
    }

    /// A connection that fails to read has failed in both directions.
    pub(super) fn note_read_failure(
        &self,
        mut receiving: MutexGuard<'_, Receiving>,
        error: &io::Error,
    ) {
        receiving.fail(error.kind());
        receiving.inbound.error(ErrorKind::Read);
        drop(receiving);
        self.observer.read_failed(error);
        self.fail_with(error.kind());
    }

    /// Whether the connection has failed, where the kernel has told nobody yet: after the peer's
    /// end no read tells.
    pub(crate) fn has_failed(&self) -> bool {
        if self.write_failure().is_some() {
            return true;
        }
        let receiving = lock(&self.receiving);
        let Some(stream) = &receiving.stream else { return true };
        if receiving.failed.is_some() {
            return true;
        }
        match stream.tcp().take_error() {
            Ok(None) => false,
            // Nothing more was to be read: it is what was sent that did not get through.
            Ok(Some(error)) | Err(error) if receiving.peer_ended => {
                drop(receiving);
                self.note_write_failure(&error);
                true
            }
            Ok(Some(error)) | Err(error) => {
                self.note_read_failure(receiving, &error);
                true
            }
        }
    }

    /// From now on reads go only to the end of what the kernel has already received, and only the
    /// grace of the one who drains bounds how long the last bytes may take.
    pub(crate) fn drain(&self) {
        self.leave_to_grace(None);
        let mut receiving = lock(&self.receiving);
        if receiving.phase == Phase::Open {
            receiving.phase = Phase::Draining;
        }
        let reader = receiving.reader.take();
        drop(receiving);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Whether draining was asked for.
    pub(crate) fn is_draining(&self) -> bool {
        lock(&self.receiving).is_draining()
    }

    /// Whether the peer's end of input was read.
    pub(crate) fn peer_ended(&self) -> bool {
        lock(&self.receiving).peer_ended
    }

    /// Why reading failed, if it did.
    pub(crate) fn read_failure(&self) -> Option<io::ErrorKind> {
        lock(&self.receiving).failed
    }

    /// How the TLS session broke, after a read that says that it did.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_failure(&self) -> CloseReason {
        let stream = lock(&self.receiving).stream.clone();
        stream.and_then(|it| it.alert()).map_or(CloseReason::TlsFailed, CloseReason::TlsAlert)
    }

    /// See above: without TLS nothing is one.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "as with TLS")]
    pub(crate) const fn tls_failure(&self) -> CloseReason {
        CloseReason::TlsFailed
    }

    /// Resolves once nothing was read for `patience`.
    pub(crate) async fn unread(&self, patience: Duration) {
        let bytes_in = || lock(&self.receiving).bytes_in;
        let mut before = bytes_in();
        loop {
            tokio::time::sleep(patience).await;
            let now = bytes_in();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

/// Keeps the waker to wake, without cloning the one that is kept already.
pub(super) fn remember(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}
