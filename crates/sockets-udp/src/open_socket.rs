//! What exists only while a socket is open: the descriptor, the claim, the statistics, the buffer.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use nix::errno::Errno;
use ports_core::PortClaim;
use stats::{CloseReason, ErrorKind};
use tokio::io::Interest;

use crate::account::Account;
use crate::arrival::{self, Arrival};
use crate::datagram::{Datagram, Received};
use crate::event::{Event, EventSource};
use crate::multicast::Membership;

/// More than the longest payload of any IP version: a datagram is never cut.
const RECEIVE_BUFFER_BYTES: usize = 65_535;

/// How often one send is tried while the kernel reports errors of earlier datagrams instead. It
/// hands out each once, so that more than one in a row takes a new ICMP message in between.
const SEND_ATTEMPTS: usize = 8;

/// An open socket. Nothing here waits.
#[derive(Debug)]
pub(crate) struct OpenSocket {
    pub(crate) socket: tokio::net::UdpSocket,
    pub(crate) claim: Option<PortClaim>,
    pub(crate) account: Account,
    pub(crate) receiver: Mutex<Receiver>,
    pub(crate) memberships: Mutex<Vec<Membership>>,
}

/// What one `recvmsg` at a time needs.
#[derive(Debug)]
pub(crate) struct Receiver {
    buffer: Box<[u8]>,
    control: Vec<u8>,
    /// The kernel's drop counter as last seen.
    drops_seen: u32,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; RECEIVE_BUFFER_BYTES].into_boxed_slice(),
            control: arrival::control_buffer(),
            drops_seen: 0,
        }
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
        self.take_arrival(ask, events, None, |arrival, buffer| Datagram {
            data: Bytes::copy_from_slice(&buffer[..arrival.length.min(buffer.len())]),
            source: arrival.source,
        })
    }

    /// A datagram, if there is one, into the caller's buffer.
    pub(crate) fn receive_into(
        &self,
        buffer: &mut [u8],
        events: &EventSource,
    ) -> io::Result<Poll<Received>> {
        self.take_arrival(Ask::WhenReady, events, Some(buffer), |arrival, buffer| Received {
            stored: arrival.length.min(buffer.len()),
            length: arrival.length,
            source: arrival.source,
        })
    }

    fn take_arrival<T>(
        &self,
        ask: Ask,
        events: &EventSource,
        callers: Option<&mut [u8]>,
        finish: impl FnOnce(&Arrival, &[u8]) -> T,
    ) -> io::Result<Poll<T>> {
        // Held until the events are out, so that their order is that of the datagrams.
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        let Receiver { buffer, control, drops_seen } = &mut *receiver;
        let buffer = callers.unwrap_or(buffer);
        loop {
            let mut receive = || arrival::receive(&self.socket, buffer, control);
            let result = match ask {
                Ask::AtOnce => receive(),
                Ask::WhenReady => self.socket.try_io(Interest::READABLE, receive),
            };
            match result {
                Ok(arrival) => {
                    self.note_arrival(&arrival, buffer.len(), drops_seen, events);
                    return Ok(Poll::Ready(finish(&arrival, buffer)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Poll::Pending);
                }
                Err(error) => match blame(&error) {
                    // A `recvmsg` that finds no datagram has no network error of its own.
                    Blame::Peer | Blame::Unclear => self.note_peer_error(error.kind(), events),
                    Blame::Nobody => {}
                    Blame::Us => return Err(error),
                },
            }
        }
    }

    /// Gives a datagram to the kernel, if it has room. `unclear` lives as long as the attempts to
    /// send this one datagram.
    pub(crate) fn send(
        &self,
        data: &[u8],
        target: SocketAddr,
        unclear: &mut Option<io::ErrorKind>,
        events: &EventSource,
    ) -> io::Result<Poll<()>> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match self.socket.try_send_to(data, target) {
                Ok(_) => {
                    if let Some(kind) = unclear.take() {
                        self.note_peer_error(kind, events);
                    }
                    self.account.sent(data.len());
                    return Ok(Poll::Ready(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Poll::Pending);
                }
                Err(error) => error,
            };
            match blame(&error) {
                Blame::Nobody => {}
                _ if attempts >= SEND_ATTEMPTS => return Err(error),
                Blame::Peer => self.note_peer_error(error.kind(), events),
                // Of an earlier datagram it is gone now; of this one it comes again.
                Blame::Unclear if unclear.is_none() => *unclear = Some(error.kind()),
                Blame::Unclear | Blame::Us => return Err(error),
            }
        }
    }

    /// Closes the descriptor, then gives the claim back, then says so: whoever hears of it can bind.
    pub(crate) fn close(self) {
        let Self { socket, claim, account, .. } = self;
        drop(socket);
        drop(claim);
        account.close(CloseReason::Local);
    }

    fn note_arrival(
        &self,
        arrival: &Arrival,
        room: usize,
        drops_seen: &mut u32,
        events: &EventSource,
    ) {
        let Arrival { length, source, kernel_drops } = *arrival;
        if let Some(drops) = kernel_drops {
            // The kernel's counter is 32 bits wide and wraps.
            let datagrams = drops.wrapping_sub(std::mem::replace(drops_seen, drops));
            if datagrams > 0 {
                tracing::warn!(datagrams, "the kernel dropped datagrams of a udp socket");
                self.account.dropped(datagrams);
                events.count_kernel_drops(datagrams);
                events.emit(|| Event::Dropped { datagrams });
            }
        }
        self.account.received(length);
        events.emit(|| Event::Received { len: length, source });
        if let Some(lost) = length.checked_sub(room).filter(|lost| *lost > 0) {
            events.emit(|| Event::Truncated { lost, source });
        }
    }

    fn note_peer_error(&self, kind: io::ErrorKind, events: &EventSource) {
        tracing::debug!(%kind, "a datagram of a udp socket did not arrive");
        self.account.error(ErrorKind::Unreachable);
        events.emit(|| Event::PeerUnreachable { kind });
    }
}

/// Whose error it is that a call on a UDP socket returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    /// The call was interrupted by a signal.
    Nobody,
    /// An ICMP message about an earlier datagram (udp(7), `icmp_err_convert` in net/ipv4/icmp.c and
    /// `icmpv6_err_convert` in net/ipv6/icmp.c).
    Peer,
    /// Such a message, or this machine's own routing.
    Unclear,
    /// The call's own.
    Us,
}

fn blame(error: &io::Error) -> Blame {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EINTR) => Blame::Nobody,
        Some(
            Errno::ECONNREFUSED
            | Errno::ENOPROTOOPT
            | Errno::EOPNOTSUPP
            | Errno::EPROTO
            | Errno::ENONET,
        ) => Blame::Peer,
        Some(
            Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EHOSTDOWN
            | Errno::EMSGSIZE
            | Errno::EACCES,
        ) => Blame::Unclear,
        _ => Blame::Us,
    }
}
