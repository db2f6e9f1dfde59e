//! The client's task: connects, moves the bytes, connects again.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ports_core::Transport;
use stats::Role;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::connect::{Dialed, Dialing};
use super::receiving::Inlet;
use super::shared::Shared;
use super::{Arrival, ClientEvent, ConnectError};
use crate::backoff::{Backoff, Reconnect};
use crate::close_reason::CloseReason;
use crate::drive::{Ended, Patience, drive};
use crate::failure::{Failure, Operation};
use crate::handler::HandlerError;
use crate::link::Link;
use crate::observer::Observer;
use crate::outbox::Loss;
#[cfg(feature = "tls")]
use crate::tls::TlsFault;

/// The client's task.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) dialing: Dialing,
    pub(super) reconnect: Option<Reconnect>,
    pub(super) patience: Patience,
    pub(super) incoming: mpsc::Sender<Arrival>,
    /// Where the outcome of the first connect goes.
    pub(super) first: Option<oneshot::Sender<Result<(), ConnectError>>>,
}

/// However its task ends, with its runtime too: the client is closed, and nobody waits for it.
impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(link) = self.shared.link() {
            link.bury();
            link.lose_kept();
            self.shared.lost(link.traffic().lost, link.unacknowledged());
        }
        let Loss { messages, bytes } = self.shared.closed();
        if messages > 0 {
            self.shared.events.publish(ClientEvent::Dropped { messages, bytes });
        }
        let closed = ConnectError::Closed { target: self.dialing.target.clone() };
        self.answer_first(Some(closed));
        self.shared.events.close(ClientEvent::Closed);
    }
}

impl Driver {
    pub(super) async fn run(mut self) {
        let stop = self.shared.stop.clone();
        let mut stopped = std::pin::pin!(stop.cancelled());
        let mut backoff = self.reconnect.map(Backoff::new);
        // When the present row of tries began.
        let mut row = Instant::now();
        loop {
            let dialed = tokio::select! {
                biased;
                () = stopped.as_mut() => break,
                dialed = self.dialing.dial() => dialed,
            };
            let (tried, permanent, failed) = match dialed {
                Ok(dialed) => {
                    let peer = dialed.tuple.remote;
                    let Stood { reason, time } = self.converse(dialed).await;
                    if let Some(backoff) = &mut backoff {
                        backoff.connection_stood(time);
                        if backoff.tries() == 0 {
                            row = Instant::now();
                        }
                    }
                    (ended(peer, reason), reason.is_permanent(), None)
                }
                Err(error) => (self.note(&error), error.is_permanent(), Some(error)),
            };
            if self.shared.is_final() {
                break;
            }
            let (Some(backoff), Some(policy)) = (&mut backoff, self.reconnect) else {
                self.answer_first(failed);
                break;
            };
            let permanent = permanent && !policy.retries_permanent();
            let retry = if permanent { None } else { backoff.next_retry() };
            let Some(retry) = retry else {
                let (attempts, lasted, failure) = (backoff.tries(), row.elapsed(), tried);
                let gave_up = ClientEvent::GaveUp { attempts, lasted, permanent, failure };
                self.shared.events.publish(gave_up);
                self.answer_first(failed);
                break;
            };
            let (attempt, delay) = (retry.attempt, retry.delay);
            self.shared.events.publish(ClientEvent::Reconnecting { attempt, delay });
            tokio::select! {
                biased;
                () = stopped.as_mut() => break,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// The life of one connection.
    async fn converse(&mut self, dialed: Dialed) -> Stood {
        let Dialed { stream, tuple, took } = dialed;
        let mut recorder = self.shared.stats.open(Transport::Tcp, Role::Client, tuple);
        recorder.connected_in(took);
        let link = Arc::new(Link::new(
            stream,
            tuple,
            Observer::Client(self.shared.events.clone()),
            self.shared.limits,
            recorder.split(),
            false,
        ));
        if self.shared.keeps {
            link.keep_unsent();
        }
        self.shared.connected(&link);
        let (peer, local) = (tuple.remote, tuple.local);
        self.shared.events.publish(ClientEvent::Connected { peer, local });
        self.answer_first(None);
        let incoming = if self.reconnect.is_some() {
            self.incoming.clone()
        } else {
            // The only sender goes with the only connection, so that its end of input is told.
            std::mem::replace(&mut self.incoming, mpsc::channel(1).0)
        };
        let mut inlet = Inlet::new(peer, incoming);
        let is_only = self.reconnect.is_none();
        let ended = {
            let pump = pin!(Some(pump(&link, &self.shared, &mut inlet, is_only)));
            drive(&link, pump, &self.patience, || ()).await
        };
        let time = link.age();
        let Ended { reason, unacknowledged, .. } = ended;
        if reason.is_broken_stream() || !self.shared.is_final() {
            // If it is not told yet: a write failed, and nobody took what had arrived before.
            let kind = link.write_failure().unwrap_or(io::ErrorKind::ConnectionReset);
            inlet.end(Err(kind.into()), is_only);
        }
        drop(inlet);
        let Loss { messages, bytes } = self.shared.disconnected(&link);
        let traffic = link.traffic();
        self.shared.lost(traffic.lost, unacknowledged);
        drop(link);
        recorder.close(reason.counted_as());
        let (bytes_in, bytes_out) = (traffic.bytes_in, traffic.bytes_out);
        let discarded = traffic.discarded;
        let event = ClientEvent::Disconnected { peer, reason, bytes_in, bytes_out, discarded };
        self.shared.events.publish(event);
        if messages > 0 {
            self.shared.events.publish(ClientEvent::Kept { messages, bytes });
        }
        Stood { reason, time }
    }

    /// Counts and tells a try that failed.
    fn note(&self, error: &ConnectError) -> Failure {
        self.shared.stats.error(Transport::Tcp, Role::Client, error.counted_as());
        let failure = Failure::new(Operation::Connect, error.in_full());
        #[cfg(feature = "tls")]
        let failure = failure.with_tls(error.tls_fault());
        self.shared.events.publish(ClientEvent::Error { failure: failure.clone() });
        failure
    }

    fn answer_first(&mut self, failed: Option<ConnectError>) {
        if let Some(first) = self.first.take() {
            // Nobody waits where the client was started without waiting.
            let _ = first.send(failed.map_or(Ok(()), Err));
        }
    }
}

/// What there is to say of a connection that is over.
struct Stood {
    reason: CloseReason,
    time: Duration,
}

/// That a connection ended, as the last thing before a client gives up.
fn ended(peer: SocketAddr, reason: CloseReason) -> Failure {
    #[cfg(feature = "tls")]
    if let CloseReason::TlsAlert(alert) = reason {
        let text = format!("{peer} ended the TLS session: {alert}");
        return Failure::new(Operation::Read, text).with_tls(Some(TlsFault::Alert(alert)));
    }
    Failure::new(Operation::Read, format!("the connection to {peer} was made, and ended: {reason}"))
}

/// Reads to the end of input and hands it on; no faster than it is taken. Then, where the other
/// direction is to live on, waits for its end.
async fn pump(
    link: &Link,
    shared: &Shared,
    inlet: &mut Inlet,
    is_only: bool,
) -> Result<(), HandlerError> {
    loop {
        let end = {
            // The room comes first: what is read is never without a place.
            let Some(room) = inlet.reserve().await else { break };
            match link.read_chunk().await {
                Ok(chunk) if chunk.is_empty() => Ok(()),
                Ok(chunk) => {
                    room.send(Arrival::Bytes(chunk.into_bytes()));
                    continue;
                }
                Err(error) => Err(error),
            }
        };
        let failed = end.as_ref().err().map(io::Error::kind);
        inlet.end(end, is_only || shared.is_final());
        match failed {
            None => break,
            Some(kind) => return Err(io::Error::from(kind).into()),
        }
    }
    if is_only {
        match link.finished().await {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
