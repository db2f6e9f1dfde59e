//! The task of one connection: the handshake where there is one, the handler, the books.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ports_core::{FiveTuple, Transport};
use socket2::SockRef;
use stats::{ErrorKind, Recorder, Role};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Place};
use super::coming::Coming;
#[cfg(feature = "tls")]
use super::handshake::Handshake;
use super::state::ServerState;
use super::{ClientId, ServerEvent};
use crate::close_reason::CloseReason;
use crate::connection::Connection;
use crate::drive::{Ended, Patience, drive};
use crate::handler::Handler;
use crate::link::Link;
use crate::observer::Observer;
use crate::options::SocketOptions;
use crate::outbox::QueueLimits;
use crate::stream::Stream;
use crate::tcp::Tcp;

/// What every connection of a server is set up with.
#[derive(Clone, Debug)]
pub(super) struct ConnectionSettings {
    pub(super) limits: QueueLimits,
    pub(super) patience: Patience,
    pub(super) options: SocketOptions,
    #[cfg(feature = "tls")]
    pub(super) handshake: Handshake,
}

/// What all connections of a server share.
pub(super) struct Service<H> {
    pub(super) handler: H,
    pub(super) state: Arc<ServerState>,
    pub(super) settings: ConnectionSettings,
    pub(super) admission: Arc<Admission>,
    pub(super) connections: TaskTracker,
}

/// A connection that was accepted and has its places.
pub(super) struct Arrival {
    pub(super) stream: Tcp,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) place: Option<Place>,
}

impl<H: Handler> Service<H> {
    /// Whether a connection does not begin with its data.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, reason = "there is none"))]
    pub(super) fn has_handshake(&self) -> bool {
        #[cfg(feature = "tls")]
        {
            self.settings.handshake.config.is_some()
        }
        #[cfg(not(feature = "tls"))]
        {
            false
        }
    }

    /// Begins to serve a connection, in a task of its own.
    pub(super) fn begin(service: &Arc<Self>, arrival: Arrival) {
        let Arrival { stream, peer, local, permit, place } = arrival;
        if let Err(error) = service.settings.options.apply(&stream) {
            // Some systems refuse options on a connection that is already reset; reading tells.
            tracing::debug!(%peer, %error, "a socket option was refused");
        }
        let tuple = FiveTuple::new(Transport::Tcp, local, peer);
        let places = Places { _permit: permit, of_address: place };
        let coming = service.state.arrivals().expect();
        #[cfg(feature = "tls")]
        if service.has_handshake() {
            let service = Arc::clone(service);
            let connections = service.connections.clone();
            connections.spawn(async move {
                // In the heap, and gone when it is over: it is larger than all the rest.
                let handshake = &service.settings.handshake;
                let done = Box::pin(handshake.accept(stream, &service.state, peer)).await;
                if let Some(stream) = done {
                    Served::open(service, stream, tuple, places).run(coming).await;
                }
            });
            return;
        }
        let served = Served::open(Arc::clone(service), stream.into(), tuple, places);
        service.connections.spawn(served.run(coming));
    }
}

/// What a connection counts as, among all and among those of its address.
struct Places {
    // Given back first: whoever is accepted by the permit of a client finds its address's place free, too.
    of_address: Option<Place>,
    _permit: OwnedSemaphorePermit,
}

/// One connection and all that belongs to it.
struct Served<H> {
    service: Arc<Service<H>>,
    client: ClientId,
    link: Arc<Link>,
    /// `None` once the end is noted.
    recorder: Option<Recorder>,
    /// `None` once the connection is over.
    places: Option<Places>,
}

impl<H> Served<H> {
    /// From here on it is a client.
    fn open(service: Arc<Service<H>>, stream: Stream, tuple: FiveTuple, places: Places) -> Self {
        let state = &service.state;
        let client = state.next_id();
        let mut recorder = state.stats().open(Transport::Tcp, Role::Server, tuple);
        let link = Arc::new(Link::new(
            stream,
            tuple,
            Observer::Server(client, state.publisher().clone()),
            service.settings.limits,
            recorder.split(),
            service.settings.patience.idle.is_some(),
        ));
        state.insert(client, &link);
        let peer = tuple.remote;
        state.publisher().publish(ServerEvent::Connected { client, peer });
        Self { service, client, link, recorder: Some(recorder), places: Some(places) }
    }

    fn note_end(&mut self, ended: &Ended) {
        // Whoever learns of the end finds the place free.
        self.places = None;
        let Some(recorder) = self.recorder.take() else { return };
        let state = &self.service.state;
        state.remove(self.client, &self.link, ended);
        if ended.reason.is_handlers_failure() {
            recorder.error(ErrorKind::Handler);
        }
        recorder.close(ended.reason.counted_as());
        state.publisher().publish(ServerEvent::Disconnected {
            client: self.client,
            peer: self.link.tuple().remote,
            reason: ended.reason,
            bytes_in: ended.traffic.bytes_in,
            bytes_out: ended.traffic.bytes_out,
            discarded: ended.traffic.discarded,
        });
    }
}

impl<H: Handler> Served<H> {
    #[expect(clippy::manual_async_fn, reason = "its future would hold what it is given twice")]
    fn run(mut self, coming: Coming) -> impl Future<Output = ()> {
        async move {
            let state = Arc::clone(&self.service.state);
            let connection = Connection::new(Arc::clone(&self.link), self.client, state);
            let ended = {
                let Service { handler, settings, .. } = &*self.service;
                // Lazily, so that a panic of `handle` itself happens where it is caught.
                let handling = pin!(Some(async move {
                    let handling = handler.handle(connection);
                    drop(coming);
                    handling.await
                }));
                let place = self.places.as_mut().and_then(|places| places.of_address.as_mut());
                let handled = || {
                    place.into_iter().for_each(Place::leave);
                    // A handler may have learned that the server stops before its link has.
                    if self.service.state.is_draining() {
                        self.link.drain();
                    }
                };
                drive(&self.link, handling, &settings.patience, handled).await
            };
            self.note_end(&ended);
        }
    }
}

/// A connection whose task is dropped, with its runtime, ends in the books as well.
impl<H> Drop for Served<H> {
    fn drop(&mut self) {
        if self.recorder.is_some() {
            let unacknowledged = self.link.unacknowledged();
            if self.service.settings.patience.resets_unfinished {
                self.link.cut_short();
            }
            self.link.bury();
            let (reason, traffic) = (CloseReason::Shutdown, self.link.traffic());
            let (aborted, input_lost) = (true, false);
            self.note_end(&Ended { reason, aborted, traffic, unacknowledged, input_lost });
        }
    }
}

/// Closes a connection so that its client sees a failure, and no stream that came to its end.
pub(super) fn reset(stream: Tcp) {
    // It fails only on a socket that is already gone.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}
