//! What exists only while a socket is open: the descriptor, the claim, the statistics, the buffers.

use std::io;
use std::sync::Mutex;

use nix::errno::Errno;
use ports_core::PortClaim;
use stats::{CloseReason, ErrorKind};

use crate::account::Account;
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
        of_peer.is_some()
    }

    pub(crate) fn note_peer_error(&self, kind: io::ErrorKind, events: &EventSource) {
        tracing::debug!(%kind, "a datagram of a udp socket did not arrive");
        self.account.error(ErrorKind::Unreachable);
        events.emit(|| Event::PeerUnreachable { kind });
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
