//! What happens on a socket, as a bounded stream of typed events.

mod operation;
mod subscription;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use tokio::sync::broadcast;

use crate::builder::UdpSocketBuilder;

pub use operation::Operation;
pub use subscription::{Events, NoEvent};

/// Something that happened on a socket.
///
/// [`Event::Received`], [`Event::Truncated`] and [`Event::Sent`] are of each datagram, and can be left
/// out by [`datagram_events`](crate::UdpSocketBuilder::datagram_events).
///
/// Events carry lengths and addresses, never data: the data goes to
/// [`recv`](crate::UdpSocket::recv).
///
/// Serialised, its `type` is the name in lower case, words joined by `-`, beside its fields:
/// `{"type":"sent","len":3,"target":"127.0.0.1:9"}`; a `kind` is its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The socket holds its port. Every subscription begins with this event.
    Bound {
        /// The address of the socket.
        local: SocketAddr,
    },
    /// A datagram was handed to the program.
    Received {
        /// Its length on the wire, in bytes of payload.
        len: usize,
        /// Who sent it.
        source: SocketAddr,
    },
    /// The program's buffer was too small and the end of a datagram is gone; comes after its
    /// [`Event::Received`].
    Truncated {
        /// How many bytes were lost.
        lost: usize,
        /// Who sent the datagram.
        source: SocketAddr,
    },
    /// The kernel took a datagram to send.
    Sent {
        /// Its length in bytes of payload.
        len: usize,
        /// Where it goes.
        target: SocketAddr,
    },
    /// The socket became a member of a multicast group.
    Joined {
        /// The group.
        group: IpAddr,
        /// The one source it was joined for; `None` for every source.
        source: Option<IpAddr>,
        /// The index of the interface; 0 where the kernel chose and did not tell.
        interface: u32,
    },
    /// The socket left a multicast group.
    Left {
        /// The group.
        group: IpAddr,
        /// The one source it was joined for; `None` for every source.
        source: Option<IpAddr>,
        /// The index of the interface; 0 where the kernel chose and did not tell.
        interface: u32,
    },
    /// The interface of a membership is gone, and the group with it; found by
    /// [`refresh_memberships`](crate::UdpSocket::refresh_memberships).
    MembershipLost {
        /// The group.
        group: IpAddr,
        /// The one source it was joined for; `None` for every source.
        source: Option<IpAddr>,
        /// The index that the interface had.
        interface: u32,
    },
    /// The kernel does not cut messages into datagrams on this socket (`UDP_SEGMENT`), though it
    /// knows how: from now on [`send_bulk`](crate::UdpSocket::send_bulk) cuts them itself.
    SegmentationRefused {
        /// What the kernel said.
        #[serde(serialize_with = "as_text")]
        kind: io::ErrorKind,
    },
    /// The kernel dropped datagrams that had reached this socket: its receive buffer was full, or
    /// a checksum was wrong. Seen with the first datagram received that was queued after the drop,
    /// when [`kernel_drops`](crate::UdpSocket::kernel_drops) is asked, or at closing.
    Dropped {
        /// How many; with [`gro`](crate::UdpSocketBuilder::gro) what came as one counts as one.
        datagrams: u32,
    },
    /// An ICMP message said that an earlier datagram did not arrive. The peer's error: the socket
    /// goes on. Seen at once by whoever waits for a datagram, who goes on waiting; otherwise by the next
    /// call that sends or receives.
    ///
    /// Only on a socket that was [handed in](crate::UdpSocketBuilder::socket) connected, or was opened with
    /// [`peer_errors`](crate::UdpSocketBuilder::peer_errors): the kernel tells no other socket of such
    /// messages (udp(7)).
    PeerUnreachable {
        /// Whom the datagram was for. `None` where the kernel did not say, since its receive buffer was
        /// full, or the socket was connected later on.
        peer: Option<SocketAddr>,
        /// What the message said, such as [`io::ErrorKind::ConnectionRefused`] for a closed port.
        #[serde(serialize_with = "as_text")]
        kind: io::ErrorKind,
    },
    /// An operation failed; its caller has the whole error.
    Error {
        /// What was tried.
        operation: Operation,
        /// Why it failed.
        #[serde(serialize_with = "as_text")]
        kind: io::ErrorKind,
        /// The error in words, with its causes: of a datagram that was too long its size and the
        /// limit.
        text: String,
    },
    /// A [`Service`](crate::Service) gave up an answer that could not be sent; comes after its
    /// [`Event::Error`].
    AnswerDropped {
        /// Its length in bytes of payload.
        len: usize,
        /// Who does not get it.
        target: SocketAddr,
    },
    /// The socket is closed and its port is free. The last event.
    Closed,
    /// This subscriber was too slow and missed events.
    Lagged {
        /// How many.
        missed: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn as_text<S: Serializer>(kind: &io::ErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(kind)
}

/// An error and its causes, in one line.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The sending side, held by the socket.
#[derive(Debug)]
pub(crate) struct EventSource {
    /// Made for the first subscriber: its memory is there at once, and most sockets have none.
    sender: OnceLock<broadcast::Sender<Event>>,
    capacity: usize,
    /// Kept beside the channel's own count, which takes a lock to read: with no subscriber an
    /// event costs one load.
    subscribers: Arc<AtomicUsize>,
    /// Whether each datagram is an event.
    tells_datagrams: bool,
    kernel_drops: AtomicU64,
    peer_errors: AtomicU64,
    /// How many of the drops are in the log.
    logged_drops: AtomicU64,
}

impl EventSource {
    pub(crate) fn new(capacity: usize, tells_datagrams: bool) -> Self {
        Self {
            sender: OnceLock::new(),
            capacity: capacity.clamp(1, UdpSocketBuilder::MAX_EVENT_CAPACITY),
            subscribers: Arc::default(),
            tells_datagrams,
            kernel_drops: AtomicU64::new(0),
            peer_errors: AtomicU64::new(0),
            logged_drops: AtomicU64::new(0),
        }
    }

    /// Whether anybody listens to what becomes of each datagram.
    pub(crate) fn datagrams_are_wanted(&self) -> bool {
        self.tells_datagrams && self.has_subscribers()
    }

    fn has_subscribers(&self) -> bool {
        self.subscribers.load(Ordering::Relaxed) > 0
    }

    /// Tells of one datagram, where that is wanted.
    pub(crate) fn emit_datagram(&self, event: impl FnOnce() -> Event) {
        if self.tells_datagrams {
            self.emit(event);
        }
    }

    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if self.has_subscribers()
            && let Some(sender) = self.sender.get()
        {
            // No receiver left is no error: the last one may be going just now.
            let _ = sender.send(event());
        }
    }

    pub(crate) fn count_kernel_drops(&self, datagrams: u32) {
        self.kernel_drops.fetch_add(datagrams.into(), Ordering::Relaxed);
    }

    pub(crate) fn count_peer_error(&self) {
        self.peer_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn peer_errors(&self) -> u64 {
        self.peer_errors.load(Ordering::Relaxed)
    }

    pub(crate) fn kernel_drops(&self) -> u64 {
        self.kernel_drops.load(Ordering::Relaxed)
    }

    /// Logs what was counted since the last time. Not while the socket is held: whoever writes the
    /// log takes their time.
    pub(crate) fn log_kernel_drops(&self) {
        let (now, before) = (self.kernel_drops(), self.logged_drops.load(Ordering::Relaxed));
        if now == before {
            return;
        }
        let before = self.logged_drops.fetch_max(now, Ordering::Relaxed);
        if let Some(datagrams @ 1..) = now.checked_sub(before) {
            tracing::debug!(datagrams, "the kernel dropped datagrams of a udp socket");
        }
    }

    /// `first` is what the subscriber sees before anything else; `ended` that nothing follows.
    pub(crate) fn subscribe(&self, first: Event) -> Events {
        let ended = first == Event::Closed;
        let sender = self.sender.get_or_init(|| broadcast::Sender::new(self.capacity));
        let receiver = sender.subscribe();
        Events::new(first, receiver, Arc::clone(&self.subscribers), ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_with_its_type() {
        let target = SocketAddr::from(([127, 0, 0, 1], 9));
        let kind = io::ErrorKind::ConnectionRefused;
        for (event, line) in [
            (Event::Sent { len: 3, target }, r#"{"type":"sent","len":3,"target":"127.0.0.1:9"}"#),
            (
                Event::Error { operation: Operation::Receive, kind, text: "gone".to_owned() },
                r#"{"type":"error","operation":"receive","kind":"connection refused","text":"gone"}"#,
            ),
            (Event::Closed, r#"{"type":"closed"}"#),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
    }
}
