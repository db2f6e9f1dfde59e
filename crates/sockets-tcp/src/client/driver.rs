//! The client's task: connects, moves the bytes, connects again.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ports_core::Transport;
use stats::Role;
use tokio::sync::{mpsc, oneshot};

use super::ClientEvent;
use super::connect::{ConnectError, Dialed, Dialing};
use super::shared::{Shared, State};
use crate::backoff::{Backoff, Reconnect};
use crate::close_reason::CloseReason;
use crate::drive::{Ended, Patience, drive};
use crate::failure::{Failure, Operation};
use crate::handler::HandlerError;
use crate::link::{Closing, Link};
use crate::observer::Observer;
use crate::outbox::QueueLimits;

/// How much is allocated for reads at once: 64 KiB.
const BUFFER: usize = 64 * 1024;
/// Below this much room a read gets a new buffer.
const LEAST_READ: usize = 4 * 1024;

/// The client's task.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) dialing: Dialing,
    pub(super) reconnect: Option<Reconnect>,
    pub(super) limits: QueueLimits,
    pub(super) patience: Patience,
    pub(super) incoming: mpsc::Sender<Bytes>,
    /// Where the outcome of the first connect goes.
    pub(super) first: Option<oneshot::Sender<Result<(), ConnectError>>>,
}

/// However its task ends, with its runtime too: the client is closed, and nobody waits for it.
impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(link) = self.shared.link() {
            link.bury();
        }
        self.shared.enter(State::Closed);
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
        loop {
            let dialed = tokio::select! {
                biased;
                () = stopped.as_mut() => break,
                dialed = self.dialing.dial() => dialed,
            };
            let failed = match dialed {
                Ok(dialed) => {
                    let stood = self.converse(dialed).await;
                    if let Some(backoff) = &mut backoff {
                        backoff.connection_stood(stood);
                    }
                    None
                }
                Err(error) => {
                    self.note(&error);
                    Some(error)
                }
            };
            if self.shared.is_final() {
                break;
            }
            let Some(backoff) = &mut backoff else {
                self.answer_first(failed);
                break;
            };
            let Some(retry) = backoff.next_retry() else {
                self.shared.events.publish(ClientEvent::GaveUp { attempts: backoff.tries() });
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

    /// The life of one connection; how long it stood.
    async fn converse(&mut self, dialed: Dialed) -> std::time::Duration {
        let Dialed { stream, tuple, took } = dialed;
        let mut recorder = self.shared.stats.open(Transport::Tcp, Role::Client, tuple);
        recorder.connected_in(took);
        let link = Arc::new(Link::new(
            stream,
            tuple,
            Observer::Client(self.shared.events.clone()),
            self.limits,
            recorder.split(),
            false,
        ));
        self.shared.enter(State::Connected(Arc::clone(&link)));
        // `close` cancels first and looks for the connection then; here it is the other way round,
        // so that one of the two sees the other.
        if self.shared.stop.is_cancelled() {
            link.leave_to_grace();
            link.close(Closing::Finish(CloseReason::Local));
        }
        let (peer, local) = (tuple.remote, tuple.local);
        self.shared.events.publish(ClientEvent::Connected { peer, local });
        self.answer_first(None);
        let ended = if self.reconnect.is_some() {
            let pump = pump(&link, Some(self.incoming.clone()), false);
            drive(&link, pump, self.patience).await
        } else {
            // The only sender goes with the only connection, so that its end of input is told.
            let (nobody, _) = mpsc::channel(1);
            let incoming = std::mem::replace(&mut self.incoming, nobody);
            let pump = pump(&link, Some(incoming), true);
            drive(&link, pump, self.patience).await
        };
        let stood = link.age();
        self.shared.unsent(ended.unsent());
        let Ended { reason, traffic, .. } = ended;
        self.shared.enter(State::Connecting);
        drop(link);
        recorder.close(reason.counted_as());
        let (bytes_in, bytes_out) = (traffic.bytes_in, traffic.bytes_out);
        let event = ClientEvent::Disconnected { peer, reason, bytes_in, bytes_out };
        self.shared.events.publish(event);
        stood
    }

    fn note(&self, error: &ConnectError) {
        self.shared.stats.error(Transport::Tcp, Role::Client, error.counted_as());
        let mut text = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            text = format!("{text}: {source}");
        }
        let failure = Failure::new(Operation::Connect, text);
        self.shared.events.publish(ClientEvent::Error { failure });
    }

    fn answer_first(&mut self, failed: Option<ConnectError>) {
        if let Some(first) = self.first.take() {
            // Nobody waits where the client was started without waiting.
            let _ = first.send(failed.map_or(Ok(()), Err));
        }
    }
}

/// Reads to the end of input and hands it on; no faster than it is taken. Then, where the other
/// direction is to live on, waits for its end.
async fn pump(
    link: &Link,
    mut incoming: Option<mpsc::Sender<Bytes>>,
    outlive_input: bool,
) -> Result<(), HandlerError> {
    let mut buffer = BytesMut::new();
    while let Some(sender) = &incoming {
        // The room comes first: what is read is never without a place.
        let Ok(room) = sender.reserve().await else { break };
        if buffer.len() < LEAST_READ {
            buffer = BytesMut::zeroed(BUFFER);
        }
        let read = std::future::poll_fn(|context| link.poll_read(context, &mut buffer)).await?;
        if read == 0 {
            drop(room);
            incoming = None;
        } else {
            room.send(buffer.split_to(read).freeze());
        }
    }
    if outlive_input {
        match link.finished().await {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
