//! A relay: what one client sends goes to all the others.

mod lines;

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Handler, HandlerError};
use crate::connection::Connection;
use crate::server::{ClientId, Coming, ServerHandle};

use lines::{LONGEST_LINE, Lines};

/// Sends each client's bytes to all the other clients of the server, never back to itself.
///
/// With a prefix, it is put before each line, however the stream is cut into reads; a line ends
/// with `\n`. Lines then go on whole, so that those of two clients do not mix: the beginning of a
/// line waits for its end, up to [`LONGEST_LINE`](Self::LONGEST_LINE). The bytes are not looked at
/// otherwise: they need not be text. What is longer than a client's outbox
/// ([`queue_bytes`](crate::TcpServerBuilder::queue_bytes)) goes on in pieces of that size.
///
/// How it meets a client that does not read is the server's slow policy. Where that drops or
/// disconnects, nobody waits for anybody. Under [`SlowPolicy::Block`](crate::SlowPolicy::Block),
/// the default, nothing is lost but to those who are disconnected, and the price is time. What a
/// client sends goes to all who have room for it first; the others are waited for at the same time,
/// and then comes the next. So one message, of some 64 KiB at most, costs those who hear from this
/// client at most the policy's time, however many are slow; whoever has no room for it by then is
/// disconnected. One that has stopped costs less, as its time runs from when it stopped. When the
/// server shuts down, no client's stream is ended before the bytes of all clients have been relayed,
/// of those from its backlog, too. When its grace is over nothing more is read, and what was read and
/// still waits for a client, or is in hand, counts as dropped for it; so does, for each, what a client that
/// is gone had begun to say.
#[derive(Debug, Default)]
pub struct Relay {
    prefix: Bytes,
}

impl Relay {
    /// The longest line that is held back for its end, in bytes: 64 KiB. A longer one goes on in
    /// pieces, with the prefix before the first.
    pub const LONGEST_LINE: usize = LONGEST_LINE;

    /// A relay without a prefix.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `prefix` before each line.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Bytes>) -> Self {
        self.prefix = prefix.into();
        self
    }

    async fn relay(
        &self,
        connection: &mut Connection,
        _relaying: Coming,
    ) -> Result<(), HandlerError> {
        // All clients of a server have outboxes of one size.
        let largest = connection.largest_message();
        let mut in_hand = InHand::of(connection, &self.prefix);
        loop {
            let chunk = connection.read_chunk().await?;
            let ended = chunk.is_empty();
            let messages = if !self.prefix.is_empty() {
                let lines = &mut in_hand.lines;
                if ended { lines.end() } else { lines.take(&chunk) }
            } else if !ended {
                vec![Bytes::copy_from_slice(&chunk)]
            } else {
                Vec::new()
            };
            in_hand.messages = messages.into();
            // Not held while the slow ones are waited for.
            drop(chunk);
            while let Some(message) = in_hand.next(largest) {
                connection.send_to_others(message).await;
            }
            if ended {
                return Ok(());
            }
        }
    }
}

impl Handler for Relay {
    fn handle(
        &self,
        mut connection: Connection,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        // With the call, not with the first turn: a server that ends waits for the calls.
        let relaying = connection.begin_relaying();
        async move {
            self.relay(&mut connection, relaying).await?;
            if connection.shutdown_requested() {
                connection.arrivals_are_over().await;
                connection.all_are_relayed().await;
            }
            Ok(())
        }
    }
}

/// What was read of a client and not offered to the others yet. Where its handler is given up, they
/// count it as dropped.
struct InHand<'a> {
    server: ServerHandle,
    client: ClientId,
    lines: Lines<'a>,
    messages: VecDeque<Bytes>,
}

impl<'a> InHand<'a> {
    fn of(connection: &Connection, prefix: &'a [u8]) -> Self {
        let (server, client) = (connection.server(), connection.id());
        Self { server, client, lines: Lines::new(prefix), messages: VecDeque::new() }
    }

    /// The next message, of no more than so many bytes.
    fn next(&mut self, largest: usize) -> Option<Bytes> {
        let first = self.messages.front_mut()?;
        if first.len() > largest {
            return Some(first.split_to(largest));
        }
        self.messages.pop_front()
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        for message in self.messages.drain(..).chain(self.lines.end()) {
            self.server.missed_by_all(message.len(), self.client);
        }
    }
}
