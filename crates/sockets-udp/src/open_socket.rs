//! What exists only while a socket is open: the descriptor, the claim, the statistics, the buffers.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use nix::errno::Errno;
use ports_core::PortClaim;
use stats::{CloseReason, ErrorKind};

use crate::account::Account;
use crate::error_queue::{self, PeerError};
use crate::event::{Event, EventSource};
use crate::incoming::Receiver;
use crate::membership::Joined;
use crate::outgoing::Senders;
use crate::registered::Registered;

/// An open socket. Nothing here waits. See [`crate::incoming`] and [`crate::outgoing`].
#[derive(Debug)]
pub(crate) struct OpenSocket {
    pub(crate) socket: Registered,
    pub(crate) claim: Option<PortClaim>,
    pub(crate) account: Account,
    pub(crate) receiver: Mutex<Receiver>,
    /// Whom it is connected to, at opening.
    pub(crate) peer: Option<SocketAddr>,
    /// Whether the kernel keeps ICMP messages with whom they are about.
    pub(crate) keeps_peer_errors: bool,
    /// Whether who receives gets errors of earlier datagrams.
    pub(crate) returns_peer_errors: bool,
    pub(crate) senders: Senders,
    pub(crate) memberships: Mutex<Vec<Joined>>,
}

impl OpenSocket {
    /// Closes the descriptor, then gives the claim back, then says so: whoever hears of it can bind.
    pub(crate) fn close(self) {
        let Self { socket, claim, account, .. } = self;
        drop(socket);
        drop(claim);
        account.close(CloseReason::Local);
    }

    /// Looks for an error of an earlier datagram; whether there was one.
    pub(crate) fn check_peer(&self, events: &EventSource) -> bool {
        let found = self.socket.take_error().ok().flatten();
        // No call is under way that it could be of.
        let of_peer = found.filter(|error| matches!(blame(error), Blame::Peer | Blame::Unclear));
        if let Some(error) = &of_peer {
            self.note_peer_error(error.kind(), events);
        }
        of_peer.is_some() || self.note_kept_errors(events)
    }

    /// Tells an error that a call returned though it is of an earlier datagram.
    pub(crate) fn note_peer_error(&self, kind: io::ErrorKind, events: &EventSource) {
        // None is kept where the receive buffer is full.
        if !self.note_kept_errors(events) {
            self.tell_peer_error(PeerError { peer: self.peer, kind }, events);
        }
    }

    /// Tells those that the kernel keeps, which would take room in the receive buffer otherwise; whether
    /// there was one.
    pub(crate) fn note_kept_errors(&self, events: &EventSource) -> bool {
        let mut any = false;
        if self.keeps_peer_errors {
            for error in error_queue::take_all(&self.socket) {
                self.tell_peer_error(error, events);
                any = true;
            }
        }
        any
    }

    fn tell_peer_error(&self, error: PeerError, events: &EventSource) {
        let PeerError { peer, kind } = error;
        tracing::debug!(?peer, %kind, "a datagram of a udp socket did not arrive");
        self.account.error(ErrorKind::Unreachable);
        events.count_peer_error();
        events.emit(|| Event::PeerUnreachable { peer, kind });
    }
}

/// Whose error it is that a call on a UDP socket returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
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

pub(crate) fn blame(error: &io::Error) -> Blame {
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
