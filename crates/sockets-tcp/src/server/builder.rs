//! The settings of a server, with their defaults.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use ports_core::PortRegistry;
use stats::SocketStats;

use super::bind::{Binding, Place};
#[cfg(feature = "tls")]
use super::handshake::Handshake;
use super::serve::ConnectionSettings;
use super::{ClientNumbers, SlowPolicy};
use crate::drive::Patience;
use crate::handler::{Discard, Handler};
use crate::options::{Keepalive, SocketOptions};
use crate::outbox::QueueLimits;

/// Sets up a [`TcpServer`](crate::TcpServer).
#[derive(Debug)]
#[must_use = "nothing listens before `start`"]
pub struct TcpServerBuilder<H> {
    pub(super) places: Vec<Place>,
    pub(super) handler: H,
    pub(super) binding: Binding,
    pub(super) stats: Option<SocketStats>,
    pub(super) numbers: ClientNumbers,
    pub(super) max_connections: usize,
    pub(super) max_connections_per_address: Option<usize>,
    pub(super) settings: ConnectionSettings,
    pub(super) slow: SlowPolicy,
    pub(super) event_capacity: usize,
    pub(super) early_data_events: bool,
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
    /// How long a TLS handshake may take, unless set: 10 s.
    #[cfg(feature = "tls")]
    pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
    /// The most sockets that listen on one address: 64.
    pub const MAX_ACCEPT_SOCKETS: usize = 64;

    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            handler: Discard,
            binding: Binding {
                registry: None,
                owner: "tcp server".to_owned(),
                backlog: backlog(Self::DEFAULT_BACKLOG),
                dual_stack: true,
                sockets: 1,
            },
            stats: None,
            numbers: ClientNumbers::new(),
            max_connections: Self::DEFAULT_MAX_CONNECTIONS,
            max_connections_per_address: None,
            settings: ConnectionSettings {
                limits: QueueLimits {
                    bytes: Self::DEFAULT_QUEUE_BYTES,
                    messages: Self::DEFAULT_QUEUE_MESSAGES,
                },
                patience: Patience {
                    idle: None,
                    first_byte: None,
                    linger: Self::DEFAULT_LINGER,
                    gives_up: true,
                    acknowledged: false,
                    resets_unfinished: true,
                },
                options: SocketOptions::default(),
                #[cfg(feature = "tls")]
                handshake: Handshake { config: None, limit: Self::DEFAULT_HANDSHAKE_TIMEOUT },
            },
            slow: Self::DEFAULT_SLOW_POLICY,
            event_capacity: Self::DEFAULT_EVENT_CAPACITY,
            early_data_events: false,
        }
    }
}

impl<H: Handler> TcpServerBuilder<H> {
    /// Listens on this address; call it again for more. Port 0: the kernel chooses. `[::]` takes
    /// IPv4 too, unless [`dual_stack`](Self::dual_stack) says otherwise.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.places.push(Place::Address(address));
        self
    }

    /// Listens on this socket, which is bound and listening already, and which others may hold as
    /// well: one of [`inherited_listeners`](crate::inherited_listeners), or one that is passed on to
    /// the next instance of this program. It is made non-blocking, for all who hold it.
    ///
    /// At a shutdown it is closed, and that is all: who waits in its backlog is left to whoever
    /// holds it then. So a service restarts without a gap: the next instance accepts on the same
    /// socket, and this one drains those whom it has accepted. Where nobody else holds it the kernel
    /// resets those who wait, and they are in no count: see
    /// [`exclusive_listener`](Self::exclusive_listener).
    pub fn listener(mut self, listener: StdListener) -> Self {
        self.places.push(Place::Bound { socket: listener, is_exclusive: false });
        self
    }

    /// As [`listener`](Self::listener), for a socket that nobody else holds: at a shutdown it is
    /// treated as one of [`bind`](Self::bind), so that who waits in its backlog is drained with the
    /// others, or reset and counted.
    pub fn exclusive_listener(mut self, listener: StdListener) -> Self {
        self.places.push(Place::Bound { socket: listener, is_exclusive: true });
        self
    }

    /// What serves the connections. Default: [`Discard`].
    pub fn handler<T: Handler>(self, handler: T) -> TcpServerBuilder<T> {
        TcpServerBuilder {
            places: self.places,
            handler,
            binding: self.binding,
            stats: self.stats,
            numbers: self.numbers,
            max_connections: self.max_connections,
            max_connections_per_address: self.max_connections_per_address,
            settings: self.settings,
            slow: self.slow,
            event_capacity: self.event_capacity,
            early_data_events: self.early_data_events,
        }
    }

    /// Records to these statistics, a refused bind too. Default: its own, see
    /// [`TcpServer::stats`](crate::TcpServer::stats).
    pub fn stats(mut self, stats: SocketStats) -> Self {
        self.stats = Some(stats);
        self
    }

    /// Draws the numbers of its clients from here, as other servers and services of the program may.
    /// Default: its own, from 1.
    pub fn client_numbers(mut self, numbers: ClientNumbers) -> Self {
        self.numbers = numbers;
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

    /// The most connections of one address at once, at least 1: of an IPv4 address (also where it
    /// comes as `::ffff:a.b.c.d`), or of the first 64 bits of an IPv6 address, since whoever has one
    /// of those can have them all; link-local addresses count one by one. One more is reset at
    /// once, and told by [`ServerEvent::Refused`](crate::ServerEvent::Refused). Default: no limit but
    /// [`max_connections`](Self::max_connections).
    ///
    /// A connection whose handler is done leaves its place before its client can see the end, so
    /// that a client which comes back at once finds it free; but no more such connections than the
    /// limit, and each that is not over beyond those keeps its place.
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.max_connections_per_address = Some(connections.max(1));
        self
    }

    /// Ends a connection whose client sends nothing at all for so long after it connected, over TLS
    /// after the handshake. Default: never.
    ///
    /// A client that sends a byte now and then is the handler's affair: only the handler knows what
    /// a whole request is.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.settings.patience.first_byte = Some(timeout);
        self
    }

    /// Ends a connection on which nothing moved in either direction for so long; where its client
    /// is behind with what it was sent, and took some of it, or where its handler is behind with what
    /// has come, after twice that at the latest. Who moves a byte in time stays. Default: never.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.patience.idle = Some(timeout);
        self
    }

    /// After a connection has come to its end: how long its last bytes may stand still (unless
    /// the server is shutting down: then its grace is what counts), and how long the client's own
    /// end is waited for; what comes meanwhile is counted and thrown away. After a connection has
    /// failed: how long its handler may go on without reading anything.
    /// The connection counts against the most clients until then. Default:
    /// [`DEFAULT_LINGER`](TcpServerBuilder::DEFAULT_LINGER).
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.patience.linger = linger;
        self
    }

    /// Whether a stream that its handler did not bring to its end ends in a reset: the handler
    /// returned an error, panicked, or was dropped, by a timeout, as its client is too slow, or as
    /// the grace of a shutdown is over. Otherwise it ends as a whole one does, and its client cannot
    /// tell half an answer from an answer. Default: yes.
    ///
    /// A reset may overtake bytes that are under way. A handler that has said all, be it that
    /// something went wrong, calls [`finish`](crate::Connection::finish) before it returns its
    /// error: then its client has all of it, whatever comes after.
    /// [`disconnect`](crate::TcpServer::disconnect) ends a stream in order either way.
    pub fn reset_unfinished(mut self, reset: bool) -> Self {
        self.settings.patience.resets_unfinished = reset;
        self
    }

    /// The bound of each client's outbox in bytes, at least 1. Default:
    /// [`DEFAULT_QUEUE_BYTES`](TcpServerBuilder::DEFAULT_QUEUE_BYTES).
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.settings.limits.bytes = bytes.max(1);
        self
    }

    /// The bound of each client's outbox in messages, at least 1. Default:
    /// [`DEFAULT_QUEUE_MESSAGES`](TcpServerBuilder::DEFAULT_QUEUE_MESSAGES).
    pub fn queue_messages(mut self, messages: usize) -> Self {
        self.settings.limits.messages = messages.max(1);
        self
    }

    /// What to do with a client whose outbox is full. Default:
    /// [`DEFAULT_SLOW_POLICY`](TcpServerBuilder::DEFAULT_SLOW_POLICY).
    pub fn slow_policy(mut self, policy: SlowPolicy) -> Self {
        self.slow = policy;
        self
    }

    /// How many events a subscriber may be behind before it misses some: from 1 to 65,536; the
    /// memory for them is taken at once by the first subscription. Default:
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
        self.settings.options.no_delay = no_delay;
        self
    }

    /// Has the kernel probe clients that are silent, so that one that is gone is noticed though
    /// nothing is sent to it. Default: no.
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.settings.options.keepalive = Some(keepalive);
        self
    }

    /// How long sent bytes, and keepalive probes, may stay unacknowledged before the kernel gives
    /// the connection up (`TCP_USER_TIMEOUT`, RFC 5482); in milliseconds, at least one. Default: the
    /// kernel's, on Linux some 15 minutes for bytes (`net.ipv4.tcp_retries2`).
    #[cfg(target_os = "linux")]
    pub fn user_timeout(mut self, timeout: Duration) -> Self {
        self.settings.options.user_timeout = Some(timeout);
        self
    }

    /// Whether `[::]` takes IPv4 too, whatever the system's default (`net.ipv6.bindv6only`).
    /// Default: yes.
    pub fn dual_stack(mut self, dual_stack: bool) -> Self {
        self.binding.dual_stack = dual_stack;
        self
    }

    /// How many sockets listen on each address given to [`bind`](Self::bind), each with an accepting
    /// task of its own; from 1 to [`MAX_ACCEPT_SOCKETS`](TcpServerBuilder::MAX_ACCEPT_SOCKETS).
    /// Default: 1.
    ///
    /// With more than one (`SO_REUSEPORT`) the kernel spreads new connections over them by a hash,
    /// so that accepting uses several processors: worth it from some 100,000 connections per second
    /// up. Each has its own backlog. Any program of the same user may then listen on the same port.
    #[cfg(unix)]
    pub fn accept_sockets(mut self, sockets: usize) -> Self {
        self.binding.sockets = sockets.clamp(1, TcpServerBuilder::<Discard>::MAX_ACCEPT_SOCKETS);
        self
    }

    /// How many connections may wait to be accepted. Default:
    /// [`DEFAULT_BACKLOG`](TcpServerBuilder::DEFAULT_BACKLOG).
    pub fn backlog(mut self, connections: u32) -> Self {
        self.binding.backlog = backlog(connections);
        self
    }
}

/// As listen(2) takes it.
fn backlog(connections: u32) -> i32 {
    i32::try_from(connections).unwrap_or(i32::MAX)
}
