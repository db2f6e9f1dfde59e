//! The receiving side of an open socket.

use std::io;
use std::net::SocketAddr;
use std::sync::{MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use tokio::io::Interest;

use crate::arrival::{self, Arrival};
use crate::batch::RecvBatch;
use crate::datagram::{Datagram, Received};
use crate::event::{Event, EventSource};
use crate::open_socket::{Blame, OpenSocket, blame};

/// More than the longest payload of any IP version, and than what the kernel hands over as one: a
/// datagram is never cut.
const RECEIVE_BUFFER_BYTES: usize = RecvBatch::WHOLE;

/// How often one receive is tried while the kernel reports errors of earlier datagrams instead. It
/// hands out each once; more in a row than a busy socket can have is an error that stays.
const RECEIVE_ATTEMPTS: usize = 64;

/// How much that is for nobody here is thrown away before others have their turn: of a group of IPv6, what
/// came to interfaces that it was not joined on.
const UNHEARD_AT_ONCE: usize = 1024;

/// What one `recvmsg` at a time needs.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// Empty before the first datagram is received into it: not every socket needs it.
    buffer: Vec<u8>,
    /// Several datagrams may come as one (`UDP_GRO`).
    joined: bool,
    /// The datagrams of `buffer` that nobody has had yet: what came, and where they begin.
    rest: Option<(Arrival, usize)>,
    /// The kernel's drop counter as last seen.
    drops_seen: u32,
}

impl Receiver {
    pub(crate) const fn new(joined: bool) -> Self {
        Self { buffer: Vec::new(), joined, rest: None, drops_seen: 0 }
    }
}

/// Whether the kernel is asked at once, or only when the runtime has seen that the socket is
/// ready, which saves a system call where nothing is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    AtOnce,
    WhenReady,
}

impl OpenSocket {
    /// A whole datagram, if there is one, copied out of the socket's own buffer: what the caller
    /// keeps is as large as the datagram, not as the buffer.
    pub(crate) fn receive(&self, ask: Ask, events: &EventSource) -> io::Result<Poll<Datagram>> {
        let mut receiver = self.receiver();
        self.take_segment(&mut receiver, ask, RECEIVE_BUFFER_BYTES, events, |arrival, bytes| {
            let Arrival { source, destination, local, interface, .. } = *arrival;
            let data = Bytes::copy_from_slice(bytes);
            Datagram { data, source, destination, local, interface }
        })
    }

    /// A datagram, if there is one, into the caller's buffer.
    pub(crate) fn receive_into(
        &self,
        buffer: &mut [u8],
        events: &EventSource,
    ) -> io::Result<Poll<Received>> {
        let room = buffer.len();
        let received = |arrival: &Arrival| {
            let Arrival { length, source, destination, local, interface, .. } = *arrival;
            Received { stored: length.min(room), length, source, destination, local, interface }
        };
        let mut receiver = self.receiver();
        if receiver.joined {
            let ask = Ask::WhenReady;
            return self.take_segment(&mut receiver, ask, room, events, |arrival, bytes| {
                let received = received(arrival);
                buffer[..received.stored].copy_from_slice(&bytes[..received.stored]);
                received
            });
        }
        let Poll::Ready(arrival) = self.take(Ask::WhenReady, buffer, events)? else {
            return Ok(Poll::Pending);
        };
        self.note_drops(arrival.kernel_drops, &mut receiver.drops_seen, events);
        self.note_arrival(arrival.length, arrival.source, room, events);
        Ok(Poll::Ready(received(&arrival)))
    }

    /// Datagrams, if there are any, into the batch; how many.
    pub(crate) fn receive_many(
        &self,
        ask: Ask,
        batch: &mut RecvBatch,
        events: &EventSource,
    ) -> io::Result<Poll<usize>> {
        let mut receiver = self.receiver();
        let Receiver { buffer, rest, drops_seen, .. } = &mut *receiver;
        batch.clear();
        if let Some((arrival, start)) = rest.take() {
            let left = Arrival { length: arrival.length - start, ..arrival };
            batch.carry(left, &buffer[start..arrival.length]);
        } else {
            for _ in 0..UNHEARD_AT_ONCE {
                let hears = |group, link| self.hears(group, link);
                let fill = || self.ask(ask, || batch.fill(&self.socket, hears));
                if self.repeat_peer_errors(events, fill)?.is_pending() {
                    return Ok(Poll::Pending);
                }
                self.note_drops(batch.kernel_drops(), drops_seen, events);
                if !batch.is_empty() {
                    break;
                }
            }
            if batch.is_empty() {
                return Ok(Poll::Pending);
            }
        }
        self.account.received_all(batch.iter().map(|datagram| datagram.length));
        if events.datagrams_are_wanted() {
            for datagram in batch.iter() {
                let (room, source) = (datagram.data.len(), datagram.source);
                tell_arrival(datagram.length, source, room, events);
            }
        }
        Ok(Poll::Ready(batch.len()))
    }

    /// Whether datagrams wait here that the kernel no longer knows of.
    pub(crate) fn has_rest(&self) -> bool {
        self.receiver().rest.is_some()
    }

    /// Asks the kernel how many datagrams it has dropped by now.
    pub(crate) fn refresh_drops(&self, events: &EventSource) {
        let mut receiver = self.receiver();
        // Not told before Linux 4.12: then the next datagram tells.
        let drops = sockets_sys::dropped_datagrams(&self.socket).ok();
        self.note_drops(drops, &mut receiver.drops_seen, events);
    }

    /// Held until the events are out, so that their order is that of the datagrams.
    fn receiver(&self) -> MutexGuard<'_, Receiver> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next datagram in the receiver's own buffer, from the kernel if it holds none. `room` is
    /// what the caller keeps of it.
    fn take_segment<T>(
        &self,
        receiver: &mut Receiver,
        ask: Ask,
        room: usize,
        events: &EventSource,
        finish: impl FnOnce(&Arrival, &[u8]) -> T,
    ) -> io::Result<Poll<T>> {
        let Receiver { buffer, rest, drops_seen, .. } = receiver;
        let (whole, start) = if let Some(rest) = rest.take() {
            rest
        } else {
            if buffer.is_empty() {
                *buffer = vec![0; RECEIVE_BUFFER_BYTES];
            }
            let Poll::Ready(arrival) = self.take(ask, buffer, events)? else {
                return Ok(Poll::Pending);
            };
            self.note_drops(arrival.kernel_drops, drops_seen, events);
            // The buffer is longer than anything that comes; were it not, what was cut is gone.
            (Arrival { length: arrival.length.min(buffer.len()), ..arrival }, 0)
        };
        let range = whole.segments().at(start);
        *rest = (range.end < whole.length).then_some((whole, range.end));
        let arrival = Arrival { length: range.len(), ..whole };
        self.note_arrival(arrival.length, arrival.source, room, events);
        Ok(Poll::Ready(finish(&arrival, &buffer[range])))
    }

    /// What the kernel holds next, if it holds anything.
    fn take(&self, ask: Ask, buffer: &mut [u8], events: &EventSource) -> io::Result<Poll<Arrival>> {
        for _ in 0..UNHEARD_AT_ONCE {
            let receive = || self.ask(ask, || arrival::receive(&self.socket, buffer));
            let Poll::Ready(arrival) = self.repeat_peer_errors(events, receive)? else {
                return Ok(Poll::Pending);
            };
            if self.hears(arrival.destination, arrival.interface) {
                return Ok(Poll::Ready(arrival));
            }
        }
        Ok(Poll::Pending)
    }

    /// Asks the kernel as `ask` says. The runtime learns in any case where nothing was there, so that
    /// whoever waits next need not ask again.
    fn ask<T>(&self, ask: Ask, mut receive: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut asked = false;
        let result = self.socket.try_io(Interest::READABLE, || {
            asked = true;
            receive()
        });
        match ask {
            Ask::AtOnce if !asked => receive(),
            Ask::AtOnce | Ask::WhenReady => result,
        }
    }

    /// Calls again after what is an error of nobody, or of an earlier datagram, unless that is wanted.
    fn repeat_peer_errors<T>(
        &self,
        events: &EventSource,
        mut receive: impl FnMut() -> io::Result<T>,
    ) -> io::Result<Poll<T>> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match receive() {
                Ok(received) => return Ok(Poll::Ready(received)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Poll::Pending);
                }
                Err(error) => error,
            };
            match blame(&error) {
                _ if attempts >= RECEIVE_ATTEMPTS => return Err(error),
                // A `recvmsg` that finds no datagram has no network error of its own.
                Blame::Peer | Blame::Unclear => {
                    self.note_peer_error(error.kind(), events);
                    if self.returns_peer_errors {
                        return Err(error);
                    }
                }
                Blame::Nobody => {}
                Blame::Us => return Err(error),
            }
        }
    }

    fn note_drops(&self, counter: Option<u32>, drops_seen: &mut u32, events: &EventSource) {
        let Some(counter) = counter else { return };
        // The kernel's counter is 32 bits wide and wraps. What a datagram tells is of when it was
        // queued, and may be older than what was asked since: then it looks like a step back.
        let datagrams = counter.wrapping_sub(*drops_seen);
        if datagrams == 0 || datagrams > u32::MAX / 2 {
            return;
        }
        *drops_seen = counter;
        self.account.dropped(datagrams);
        events.count_kernel_drops(datagrams);
        events.emit(|| Event::Dropped { datagrams });
    }

    fn note_arrival(&self, length: usize, source: SocketAddr, room: usize, events: &EventSource) {
        self.account.received(length);
        tell_arrival(length, source, room, events);
    }
}

fn tell_arrival(length: usize, source: SocketAddr, room: usize, events: &EventSource) {
    events.emit_datagram(|| Event::Received { len: length, source });
    if let Some(lost) = length.checked_sub(room).filter(|lost| *lost > 0) {
        events.emit_datagram(|| Event::Truncated { lost, source });
    }
}
