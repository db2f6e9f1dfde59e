//! The settings of a server, with their defaults.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use ports_core::{PortRegistry, Transport};
use stats::{ErrorKind, Role, SocketStats};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{Acceptor, ConnectionSettings};
use super::bind::{Binding, Listener, Place};
use super::{BindError, Clients, ServerEvent, SlowPolicy, TcpServer};
use crate::drive::Patience;
use crate::events::Publisher;
use crate::handler::{Discard, Handler};
use crate::outbox::QueueLimits;

/// Sets up a [`TcpServer`].
#[derive(Debug)]
#[must_use = "nothing listens before `start`"]
pub struct TcpServerBuilder<H> {
    places: Vec<Place>,
    handler: H,
    binding: Binding,
    stats: Option<SocketStats>,
    max_connections: usize,
    patience: Patience,
    limits: QueueLimits,
    slow: SlowPolicy,
    event_capacity: usize,
    early_data_events: bool,
    no_delay: bool,
}

impl TcpServerBuilder<Discard> {
    /// The most clients at once, unless set: 4,096.
    pub const DEFAULT_MAX_CONNECTIONS: usize = 4096;
    /// The bound of each client's outbox in bytes, unless set: 1 MiB.
    pub const DEFAULT_QUEUE_BYTES: usize = 1 << 20;
    /// The bound of each client's outbox in messages, unless set: 1,024.
    pub const DEFAULT_QUEUE_MESSAGES: usize = 1024;
    /// How long a client with a full outbox may take nothing, unless set: 5 s.
    pub const DEFAULT_SLOW_POLICY: SlowPolicy = SlowPolicy::Block(Duration::from_secs(5));
    /// How many events a subscriber may be behind, unless set: 1,024.
    pub const DEFAULT_EVENT_CAPACITY: usize = 1024;
    /// How many connections wait to be accepted, unless set: 1,024. The kernel may hold fewer
    /// (`net.core.somaxconn`).
    pub const DEFAULT_BACKLOG: u32 = 1024;
    /// How long a connection that has come to its end may stand still, unless set: 2 s.
    pub const DEFAULT_LINGER: Duration = Duration::from_secs(2);

    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            handler: Discard,
            binding: Binding {
                registry: None,
                owner: "tcp server".to_owned(),
                backlog: backlog(Self::DEFAULT_BACKLOG),
            },
            stats: None,
            max_connections: Self::DEFAULT_MAX_CONNECTIONS,
            patience: Patience { idle: None, linger: Self::DEFAULT_LINGER },
            limits: QueueLimits {
                bytes: Self::DEFAULT_QUEUE_BYTES,
                messages: Self::DEFAULT_QUEUE_MESSAGES,
            },
            slow: Self::DEFAULT_SLOW_POLICY,
            event_capacity: Self::DEFAULT_EVENT_CAPACITY,
            early_data_events: false,
            no_delay: true,
        }
    }
}

impl<H: Handler> TcpServerBuilder<H> {
    /// Listens on this address; call it again for more. Port 0: the kernel chooses. `[::]` takes
    /// IPv4 too.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.places.push(Place::Address(address));
        self
    }

    /// Listens on this socket, which is bound and listening already.
    pub fn listener(mut self, listener: StdListener) -> Self {
        self.places.push(Place::Bound(listener));
        self
    }

    /// What serves the connections. Default: [`Discard`].
    pub fn handler<T: Handler>(self, handler: T) -> TcpServerBuilder<T> {
        TcpServerBuilder {
            places: self.places,
            handler,
            binding: self.binding,
            stats: self.stats,
            max_connections: self.max_connections,
            patience: self.patience,
            limits: self.limits,
            slow: self.slow,
            event_capacity: self.event_capacity,
            early_data_events: self.early_data_events,
            no_delay: self.no_delay,
        }
    }

    /// Records to these statistics, a refused bind too. Default: its own, see
    /// [`TcpServer::stats`].
    pub fn stats(mut self, stats: SocketStats) -> Self {
        self.stats = Some(stats);
        self
    }

    /// Claims its ports in this registry, for as long as it listens. Default: none.
    pub fn registry(mut self, registry: PortRegistry) -> Self {
        self.binding.registry = Some(registry);
        self
    }

    /// Who the registry says holds the ports. Default: `tcp server`.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.binding.owner = owner.into();
        self
    }

    /// The most clients at once, at least 1; more wait in the backlog. Default:
    /// [`DEFAULT_MAX_CONNECTIONS`](TcpServerBuilder::DEFAULT_MAX_CONNECTIONS).
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Ends a connection on which nothing moved in either direction for so long. Default: never.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.patience.idle = Some(timeout);
        self
    }

    /// After a connection has come to its end: how long its last bytes may stand still (unless
    /// the server is shutting down: then its grace is what counts), and how long the client's own
    /// end is waited for; what comes meanwhile is counted and thrown away.
    /// The connection counts against the most clients until then. Default:
    /// [`DEFAULT_LINGER`](TcpServerBuilder::DEFAULT_LINGER).
    pub fn linger(mut self, linger: Duration) -> Self {
        self.patience.linger = linger;
        self
    }

    /// The bound of each client's outbox in bytes, at least 1. Default:
    /// [`DEFAULT_QUEUE_BYTES`](TcpServerBuilder::DEFAULT_QUEUE_BYTES).
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes.max(1);
        self
    }

    /// The bound of each client's outbox in messages, at least 1. Default:
    /// [`DEFAULT_QUEUE_MESSAGES`](TcpServerBuilder::DEFAULT_QUEUE_MESSAGES).
    pub fn queue_messages(mut self, messages: usize) -> Self {
        self.limits.messages = messages.max(1);
        self
    }

    /// What to do with a client whose outbox is full. Default:
    /// [`DEFAULT_SLOW_POLICY`](TcpServerBuilder::DEFAULT_SLOW_POLICY).
    pub fn slow_policy(mut self, policy: SlowPolicy) -> Self {
        self.slow = policy;
        self
    }

    /// How many events a subscriber may be behind before it misses some: from 1 to 65,536; the
    /// memory for them is taken at once. Default:
    /// [`DEFAULT_EVENT_CAPACITY`](TcpServerBuilder::DEFAULT_EVENT_CAPACITY).
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events;
        self
    }

    /// Whether the events of every read are published before anyone has subscribed, for the first
    /// subscription to begin with. Default: no, they cost something at each read.
    pub fn early_data_events(mut self, early: bool) -> Self {
        self.early_data_events = early;
        self
    }

    /// Whether small writes go out at once (`TCP_NODELAY`). Default: yes.
    pub fn no_delay(mut self, no_delay: bool) -> Self {
        self.no_delay = no_delay;
        self
    }

    /// How many connections may wait to be accepted. Default:
    /// [`DEFAULT_BACKLOG`](TcpServerBuilder::DEFAULT_BACKLOG).
    pub fn backlog(mut self, connections: u32) -> Self {
        self.binding.backlog = backlog(connections);
        self
    }

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
        let listeners = self
            .places
            .into_iter()
            .map(|place| Listener::open(place, &self.binding))
            .collect::<Result<Vec<_>, _>>()
            .inspect_err(|_| {
                if let Some(stats) = &self.stats {
                    stats.error(Transport::Tcp, Role::Server, ErrorKind::Bind);
                }
            })?;
        let local: Vec<_> = listeners.iter().map(Listener::local).collect();
        let events = Publisher::new(self.event_capacity, self.early_data_events);
        for address in &local {
            events.publish(ServerEvent::Listening { address: *address });
        }
        let stats = self.stats.unwrap_or_default();
        let clients = Arc::new(Clients::new(self.slow, self.max_connections, events, stats));
        let (acceptor, released) = (TaskTracker::new(), CancellationToken::new());
        let connections = TaskTracker::new();
        let accepting = Acceptor {
            listeners,
            handler: Arc::new(self.handler),
            clients: Arc::clone(&clients),
            settings: ConnectionSettings {
                limits: self.limits,
                patience: self.patience,
                no_delay: self.no_delay,
            },
            connections: connections.clone(),
            released: released.clone(),
        };
        acceptor.spawn(accepting.run());
        Ok(TcpServer { clients, local, acceptor, connections, released })
    }
}

/// As listen(2) takes it.
fn backlog(connections: u32) -> i32 {
    i32::try_from(connections).unwrap_or(i32::MAX)
}
