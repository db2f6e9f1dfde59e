//! What becomes of queued messages when the connection is lost.

/// What becomes of messages that were accepted and not sent when the connection is lost.
///
/// Sent means handed to the kernel. What the kernel had and did not deliver is lost with the
/// connection under either policy, and neither end is told how much that is: who must know that a
/// message arrived needs an answer to it. What TLS had taken and the kernel had not is dropped and
/// told, not sent again. A message of which a part is sent is never sent again
/// and never continued on another connection:
/// [`ClientEvent::Cut`](crate::ClientEvent::Cut) tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QueuePolicy {
    /// They are dropped, and told by [`ClientEvent::Dropped`](crate::ClientEvent::Dropped).
    /// Without a connection nothing is accepted.
    #[default]
    Discard,
    /// They are sent on the next connection, in their order and before newer ones. Without a
    /// connection messages are accepted, within the bounds of the outbox, and wait for one. When
    /// the client is closed or gives up, those that wait are dropped and told.
    Keep,
}
