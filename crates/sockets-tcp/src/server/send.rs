//! Sending to clients from outside their handlers, and what happens where one is slow.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::coop::consume_budget;
use tokio::time::Instant;

use super::state::ServerState;
use super::{BroadcastReport, ClientId};
use crate::close_reason::CloseReason;
use crate::link::{Closing, Link, Offer, Sent};

/// What to do with a client whose outbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowPolicy {
    /// Wait for room, in the order in which the senders came. A message to one client waits as long
    /// as the client takes anything at all: it is disconnected once it has taken nothing of what
    /// waits for it for so long. A message to all waits for no client longer than that in all,
    /// since others wait meanwhile: whoever has no room for it by then is disconnected.
    ///
    /// The time of a client that has stopped runs from when something began to wait for it, not
    /// from when somebody waits for its room: one whose outbox takes that long to fill holds nobody
    /// up. Whatever waits for it when it is disconnected, of whichever sender, counts as dropped.
    Block(Duration),
    /// Drop the message that finds no room.
    DropNewest,
    /// Drop the oldest messages that wait, until the new one fits; where it would not fit even then
    /// (one of which a part is sent already stays), drop the new one.
    DropOldest,
    /// Disconnect the client at once.
    Disconnect,
}

/// Why a message did not get to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no such client: there never was, or it is gone.
    #[error(transparent)]
    UnknownClient(#[from] UnknownClientError),
    /// The message can never fit.
    #[error("a message of {len} bytes to client {client} exceeds the outbox of {limit} bytes")]
    TooLarge {
        /// The client.
        client: ClientId,
        /// The message's length in bytes.
        len: usize,
        /// The outbox's bound in bytes.
        limit: usize,
    },
    /// The client is slow, its outbox is full, and the policy is to drop the message.
    #[error("the message to client {client} was dropped: its outbox is full")]
    Dropped {
        /// The client.
        client: ClientId,
    },
    /// The client was slow, its outbox full, and the policy disconnected it.
    #[error("client {client} was disconnected: it does not read, and its outbox is full")]
    SlowPeer {
        /// The client.
        client: ClientId,
    },
    /// The connection is closing: nothing more can be sent on it.
    #[error("the connection of client {client} is closing")]
    Closed {
        /// The client.
        client: ClientId,
    },
}

/// There is no such client: there never was, or it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("there is no client {client}: it is gone, or never was")]
pub struct UnknownClientError {
    /// The number given.
    pub client: ClientId,
}

/// What one send came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Queued { dropped: usize },
    Dropped,
    Disconnected,
    Closed,
}

impl ServerState {
    pub(super) async fn send(&self, client: ClientId, message: &Bytes) -> Result<(), SendError> {
        // A sender that always finds room gives others their turn.
        consume_budget().await;
        let link = self.link(client).ok_or(UnknownClientError { client })?;
        let limit = link.largest_message();
        if message.len() > limit {
            return Err(SendError::TooLarge { client, len: message.len(), limit });
        }
        let outcome = match self.offer(&link, message) {
            Some(outcome) => outcome,
            None => self.wait_for_room(&link, link.send(message), None).await,
        };
        match outcome {
            Outcome::Queued { .. } => Ok(()),
            Outcome::Dropped => Err(SendError::Dropped { client }),
            Outcome::Disconnected => Err(SendError::SlowPeer { client }),
            Outcome::Closed => Err(SendError::Closed { client }),
        }
    }

    /// Sends to all clients but one. First everybody who has room, then, where the policy is to
    /// wait, all the others at the same time, and no longer than the policy's time in all.
    pub(crate) async fn broadcast(
        &self,
        message: &Bytes,
        except: Option<ClientId>,
    ) -> BroadcastReport {
        let report = self.send_to_links(self.links(except), message).await;
        // Behind it, so that who is given up there has nothing in hand.
        consume_budget().await;
        report
    }

    /// As `broadcast`, to these clients.
    pub(super) async fn send_to_each(
        &self,
        clients: &[ClientId],
        message: &Bytes,
    ) -> BroadcastReport {
        let links: Vec<_> = clients.iter().filter_map(|client| self.link(*client)).collect();
        let gone = clients.len() - links.len();
        let mut report = self.send_to_links(links, message).await;
        report.closed += gone;
        consume_budget().await;
        report
    }

    /// Counts a message to all clients but one that its sender gave up before it was offered to any.
    pub(super) fn missed_by_all(&self, bytes: usize, except: ClientId) {
        self.links(Some(except)).iter().for_each(|link| link.missed(bytes));
    }

    async fn send_to_links(&self, links: Vec<Arc<Link>>, message: &Bytes) -> BroadcastReport {
        let mut report = BroadcastReport::default();
        let mut full = Vec::new();
        for link in links {
            if message.len() > link.largest_message() {
                link.turned_away(message.len());
                report.too_large += 1;
                continue;
            }
            match self.offer(&link, message) {
                Some(outcome) => report.count(outcome),
                None => full.push(link),
            }
        }
        if !full.is_empty() {
            self.wait_for_all(&full, message, &mut report).await;
        }
        report
    }

    /// One try under the policy; `None` where the policy is to wait.
    fn offer(&self, link: &Arc<Link>, message: &Bytes) -> Option<Outcome> {
        let policy = self.slow_policy();
        match link.offer(message, policy == SlowPolicy::DropOldest) {
            Offer::Accepted { dropped } => Some(Outcome::Queued { dropped }),
            Offer::Gone => Some(Outcome::Closed),
            Offer::Full => match policy {
                SlowPolicy::Block(_) => None,
                SlowPolicy::DropNewest | SlowPolicy::DropOldest => {
                    link.turned_away(message.len());
                    Some(Outcome::Dropped)
                }
                SlowPolicy::Disconnect => Some(disconnect(link, message)),
            },
        }
    }

    /// Waits for room as long as the client takes anything, and not beyond the deadline.
    async fn wait_for_room(
        &self,
        link: &Link,
        sent: Sent<'_>,
        deadline: Option<Instant>,
    ) -> Outcome {
        let SlowPolicy::Block(patience) = self.slow_policy() else { return Outcome::Dropped };
        let len = sent.len();
        let mut sent = pin!(sent);
        tokio::select! {
            biased;
            accepted = sent.as_mut() => {
                if accepted { Outcome::Queued { dropped: 0 } } else { Outcome::Closed }
            }
            () = too_slow(link, patience, deadline) => {
                link.close(Closing::Abort(CloseReason::SlowPeer));
                // Decided by the close at the latest, which counts all that wait. What was accepted is
                // lost with the rest.
                if !sent.await && !link.loses_waiting() {
                    link.turned_away(len);
                }
                Outcome::Disconnected
            }
        }
    }

    async fn wait_for_all(
        &self,
        links: &[Arc<Link>],
        message: &Bytes,
        report: &mut BroadcastReport,
    ) {
        let deadline = match self.slow_policy() {
            // `None` is beyond what the clock can say.
            SlowPolicy::Block(patience) => Instant::now().checked_add(patience),
            _ => None,
        };
        // Each is looked at when it moves itself, not whenever any of them does.
        let wait = links.iter().map(|link| {
            let sent = link.send(message).or_missed();
            self.wait_for_room(link, sent, deadline)
        });
        let mut waiting: FuturesUnordered<_> = wait.collect();
        while let Some(outcome) = waiting.next().await {
            report.count(outcome);
        }
    }
}

/// Resolves once the client has stood still for `patience`, or at the deadline.
async fn too_slow(link: &Link, patience: Duration, deadline: Option<Instant>) {
    let stalled = link.stalled_queue(patience);
    match deadline {
        // Either way it is too slow.
        Some(deadline) => drop(tokio::time::timeout_at(deadline, stalled).await),
        None => stalled.await,
    }
}

fn disconnect(link: &Link, message: &Bytes) -> Outcome {
    link.turned_away(message.len());
    link.close(Closing::Abort(CloseReason::SlowPeer));
    Outcome::Disconnected
}

impl BroadcastReport {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Queued { dropped } => {
                self.queued += 1;
                self.dropped += usize::from(dropped > 0);
            }
            Outcome::Dropped => self.dropped += 1,
            Outcome::Disconnected => self.disconnected += 1,
            Outcome::Closed => self.closed += 1,
        }
    }
}
