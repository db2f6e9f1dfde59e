//! From settings to a running server: all that listens, all that is shared, the accepting tasks.

use std::sync::Arc;

use ports_core::Transport;
use stats::{ErrorKind, Role};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{Acceptor, Ending};
use super::admission::Admission;
use super::bind::Listener;
use super::serve::Service;
use super::shortage::Reserve;
use super::{BindError, ServerEvent, ServerState, TcpServer, TcpServerBuilder};
use crate::events::Publisher;
use crate::handler::Handler;

impl<H: Handler> TcpServerBuilder<H> {
    /// Binds, listens, and begins to accept. All addresses or none.
    ///
    /// # Errors
    ///
    /// [`BindError`]: which address, and why not.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Safe: it never waits. It is `async` because it needs the runtime.
    #[expect(clippy::unused_async, reason = "it may come to wait, and it needs the runtime")]
    pub async fn start(self) -> Result<TcpServer, BindError> {
        if self.places.is_empty() {
            return Err(BindError::NoAddress);
        }
        let Self { binding, settings, .. } = self;
        let listeners = self
            .places
            .into_iter()
            .map(|place| Listener::open(place, &binding))
            .collect::<Result<Vec<_>, _>>()
            .inspect_err(|_| {
                if let Some(stats) = &self.stats {
                    stats.error(Transport::Tcp, Role::Server, ErrorKind::Bind);
                }
            })?;
        let local: Vec<_> = listeners.iter().filter_map(|of_place| of_place.first()).collect();
        let local: Vec<_> = local.into_iter().map(Listener::local).collect();
        let events = Publisher::new(self.event_capacity, self.early_data_events, |missed| {
            ServerEvent::Lagged { missed }
        });
        for address in &local {
            events.publish(ServerEvent::Listening { address: *address });
        }
        let stats = self.stats.unwrap_or_default();
        let (slow, most, numbers) = (self.slow, self.max_connections, self.numbers);
        let state = Arc::new(ServerState::new(slow, most, events, stats, numbers));
        let (acceptor, released) = (TaskTracker::new(), CancellationToken::new());
        let connections = TaskTracker::new();
        let service = Arc::new(Service {
            handler: self.handler,
            state: Arc::clone(&state),
            settings,
            admission: Admission::new(self.max_connections_per_address),
            connections: connections.clone(),
        });
        let ending = Arc::new(Ending {
            state: Arc::clone(&state),
            connections: connections.clone(),
            released: released.clone(),
        });
        let permits = Arc::new(Semaphore::new(self.max_connections));
        let accepting: Vec<_> = shares(listeners)
            .into_iter()
            .map(|listeners| Acceptor {
                listeners,
                reserve: Reserve::new(),
                permits: Arc::clone(&permits),
                service: Arc::clone(&service),
                coming: state.arrivals().expect(),
                ending: Arc::clone(&ending),
            })
            .collect();
        drop(ending);
        for accepting in accepting {
            acceptor.spawn(accepting.run());
        }
        Ok(TcpServer { state, local, acceptor, connections, released })
    }
}

/// The sockets of each place, dealt to as many accepting tasks as any place has sockets.
fn shares(places: Vec<Vec<Listener>>) -> Vec<Vec<Listener>> {
    let mut shares: Vec<Vec<Listener>> = Vec::new();
    for sockets in places {
        for (number, socket) in sockets.into_iter().enumerate() {
            if shares.len() == number {
                shares.push(Vec::new());
            }
            shares[number].push(socket);
        }
    }
    shares
}
