//! The receiving direction of a connection, and how it is drained.

use std::io::{self, Read as _};
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use stats::{ErrorKind, Inbound};
use tokio::io::Interest;

use super::Link;
use crate::events::lock;

/// Whether a read that returns fewer bytes than asked for says that the socket is empty, so that
/// the readiness can be taken back without another system call. True of the edge-triggered
/// pollers (epoll(7), kqueue), where a later arrival is a new edge.
const SHORT_READ_IS_EMPTY: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
));

/// How much is thrown away at once while waiting for the peer's end.
const DISCARD: usize = 4096;

/// How far the receiving direction still has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To the peer's end of input.
    Open,
    /// To the end of what the kernel holds, which is not counted yet.
    Draining,
    /// This many bytes more.
    Left(usize),
    /// No further.
    Ended,
}

/// The receiving side's state.
pub(super) struct Receiving {
    inbound: Inbound,
    pub(super) bytes_in: u64,
    phase: Phase,
    peer_ended: bool,
    failed: Option<io::ErrorKind>,
    /// The reader that waits; not always the connection's own task.
    reader: Option<Waker>,
}

impl Receiving {
    pub(super) fn new(inbound: Inbound) -> Self {
        Self {
            inbound,
            bytes_in: 0,
            phase: Phase::Open,
            peer_ended: false,
            failed: None,
            reader: None,
        }
    }

    pub(super) fn bury(&mut self) {
        self.phase = Phase::Ended;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
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
        let mut receiving = lock(&self.receiving);
        if receiving.phase == Phase::Draining {
            // FIONREAD fails only on a closed descriptor, and then there is nothing to drain.
            let left = rustix::io::ioctl_fionread(&self.stream).unwrap_or(0);
            receiving.phase = Phase::Left(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let result = match receiving.phase {
            Phase::Ended => return Poll::Ready(Ok(0)),
            Phase::Left(left) => {
                let room = buffer.len().min(left);
                let read = if room == 0 { Ok(0) } else { self.read_now(&mut buffer[..room]) };
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
                    return Poll::Ready(Ok(0));
                }
                read
            }
            Phase::Open | Phase::Draining => loop {
                match self.stream.poll_read_ready(context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => break Err(error),
                    Poll::Pending => {
                        remember(&mut receiving.reader, context);
                        return Poll::Pending;
                    }
                }
                match self.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => break result,
                }
            },
        };
        match &result {
            Ok(0) => {
                receiving.phase = Phase::Ended;
                receiving.peer_ended = true;
                drop(receiving);
                self.observer.half_closed();
            }
            Ok(read) => {
                receiving.count(*read);
                drop(receiving);
                self.note_activity();
                self.observer.data(*read);
            }
            Err(error) => {
                receiving.phase = Phase::Ended;
                receiving.failed = Some(error.kind());
                receiving.inbound.error(ErrorKind::Read);
                drop(receiving);
                self.observer.read_failed(error);
            }
        }
        Poll::Ready(result)
    }

    /// From now on reads go only to the end of what the kernel has already received.
    pub(crate) fn drain(&self) {
        let mut receiving = lock(&self.receiving);
        if receiving.phase == Phase::Open {
            receiving.phase = Phase::Draining;
        }
        if let Some(reader) = receiving.reader.take() {
            reader.wake();
        }
    }

    /// Whether draining was asked for.
    pub(crate) fn is_draining(&self) -> bool {
        let receiving = lock(&self.receiving);
        matches!(receiving.phase, Phase::Draining | Phase::Left(_))
            || (receiving.phase == Phase::Ended
                && !receiving.peer_ended
                && receiving.failed.is_none())
    }

    /// Whether the peer's end of input was read.
    pub(crate) fn peer_ended(&self) -> bool {
        lock(&self.receiving).peer_ended
    }

    /// Why reading failed, if it did.
    pub(crate) fn read_failure(&self) -> Option<io::ErrorKind> {
        lock(&self.receiving).failed
    }

    /// Reads to the peer's end and throws away what comes: closing a socket with unread input
    /// resets the connection (RFC 9293 section 3.6.1), and a reset may overtake what the peer
    /// has not read yet.
    pub(crate) fn poll_discard(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut receiving = lock(&self.receiving);
        if receiving.peer_ended || receiving.failed.is_some() {
            return Poll::Ready(());
        }
        let mut scratch = [0; DISCARD];
        loop {
            match self.stream.poll_read_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
            match self.try_read(&mut scratch) {
                Ok(0) => {
                    receiving.peer_ended = true;
                    return Poll::Ready(());
                }
                Ok(read) => receiving.count(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(()),
            }
        }
    }

    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&self.stream)).read(buffer)
    }

    /// One read; takes the readiness back where it shows that the socket is empty.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut short = None;
        let result = self.stream.try_io(Interest::READABLE, || {
            let read = self.read_now(buffer)?;
            if SHORT_READ_IS_EMPTY && (1..buffer.len()).contains(&read) {
                short = Some(read);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(read)
        });
        short.map_or(result, Ok)
    }
}

/// Keeps the waker to wake, without cloning the one that is kept already.
pub(super) fn remember(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}
