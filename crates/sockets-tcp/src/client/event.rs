//! What a client tells its subscribers.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::close_reason::CloseReason;
use crate::failure::Failure;

/// Something that happened to a client. Data comes from `recv`; here are only its lengths.
///
/// Serialised as a [`ServerEvent`](crate::ServerEvent) is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ClientEvent {
    /// A connection stands.
    Connected {
        /// The server's address.
        peer: SocketAddr,
        /// The address of this end.
        local: SocketAddr,
    },
    /// A read brought data.
    Data {
        /// How many bytes.
        len: usize,
    },
    /// The server ended its stream; sending still works.
    HalfClosed,
    /// The connection is over.
    Disconnected {
        /// The server's address.
        peer: SocketAddr,
        /// Why.
        reason: CloseReason,
        /// Bytes received.
        bytes_in: u64,
        /// Bytes sent, as far as the kernel took them.
        bytes_out: u64,
        /// Bytes that came when nobody was to read them any more, and were thrown away. They are not
        /// in `bytes_in`.
        discarded: u64,
    },
    /// A part of a message was sent when the connection was lost. The rest is not sent, on no
    /// connection: it counts in the [`Dropped`](Self::Dropped) that follows.
    Cut {
        /// How many of its bytes were sent at most.
        sent: usize,
        /// How many of its bytes were not sent.
        unsent: usize,
    },
    /// Messages that the lost connection did not begin to send wait for the next one
    /// ([`QueuePolicy::Keep`](crate::QueuePolicy::Keep)).
    Kept {
        /// How many messages.
        messages: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// Messages were given up: the connection was lost, or closed, before they were sent.
    Dropped {
        /// How many messages.
        messages: usize,
        /// How many bytes of them were not sent.
        bytes: usize,
    },
    /// The next try to connect is waited for.
    Reconnecting {
        /// Which try in a row, from 1.
        attempt: u32,
        /// How long the wait is.
        delay: Duration,
    },
    /// The limit of tries in a row is reached, or the last failure was permanent: no more follow.
    GaveUp {
        /// How many tries in a row there were since the connection was lost, or the first connect
        /// failed; that first one does not count.
        attempts: u32,
        /// How long that took: since the connection was lost, or the first connect began.
        lasted: Duration,
        /// The limit is not reached: another try would have failed in the same way.
        permanent: bool,
        /// How the last try failed, or how the connection that it made ended.
        failure: Failure,
    },
    /// Something failed.
    Error {
        /// What failed.
        failure: Failure,
    },
    /// The client is closed for good. The last event.
    Closed,
    /// The subscriber was slower than the channel is deep
    /// ([`event_capacity`](crate::TcpClientBuilder::event_capacity)): the oldest events are lost to it.
    Lagged {
        /// How many.
        missed: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_with_its_type() {
        let event = ClientEvent::Reconnecting { attempt: 2, delay: Duration::from_millis(1) };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"type":"reconnecting","attempt":2,"delay":{"secs":0,"nanos":1000000}}"#
        );
        assert_eq!(
            serde_json::to_string(&ClientEvent::HalfClosed).unwrap(),
            r#"{"type":"half-closed"}"#
        );
    }
}
