//! The settings of a client, with their defaults.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use stats::SocketStats;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::connect::{self, Dialing};
use super::driver::Driver;
use super::receiving::Receiver;
#[cfg(feature = "tls")]
use super::secure::Secure;
use super::shared::Shared;
use super::{ClientEvent, ConnectError, QueuePolicy, Target, TcpClient};
use crate::backoff::Reconnect;
use crate::drive::Patience;
use crate::events::Publisher;
use crate::options::{Keepalive, SocketOptions};
use crate::outbox::QueueLimits;

/// Sets up a [`TcpClient`].
#[derive(Clone, Debug)]
#[must_use = "nothing connects before `connect` or `start`"]
pub struct TcpClientBuilder {
    dialing: Dialing,
    reconnect: Option<Reconnect>,
    stats: Option<SocketStats>,
    limits: QueueLimits,
    across_reconnect: QueuePolicy,
    receive_queue: usize,
    event_capacity: usize,
    early_data_events: bool,
    close_grace: Duration,
    linger: Duration,
}

impl TcpClientBuilder {
    /// How long one try to connect may take, unless set: 10 s.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long after one address the next one is tried beside it, unless set: 250 ms (RFC 8305
    /// section 5).
    pub const DEFAULT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);
    /// The shortest such delay: 10 ms (RFC 8305 section 5).
    pub const MIN_ATTEMPT_DELAY: Duration = Duration::from_millis(10);
    /// The longest such delay: 2 s (RFC 8305 section 5).
    pub const MAX_ATTEMPT_DELAY: Duration = Duration::from_secs(2);
    /// The most addresses of one target that are tried in one try: 32. Each may hold a socket.
    pub const MAX_ADDRESSES: usize = connect::MAX_ADDRESSES;
    /// The bound of the outbox in bytes, unless set: 1 MiB.
    pub const DEFAULT_QUEUE_BYTES: usize = 1 << 20;
    /// The bound of the outbox in messages, unless set: 1,024.
    pub const DEFAULT_QUEUE_MESSAGES: usize = 1024;
    /// How many reads, of at most 64 KiB, wait to be received, unless set: 16. Beyond that the
    /// kernel, and so the server, is made to wait.
    pub const DEFAULT_RECEIVE_QUEUE: usize = 16;
    /// How many events a subscriber may be behind, unless set: 1,024.
    pub const DEFAULT_EVENT_CAPACITY: usize = 1024;
    /// How long `close` takes at most, unless set: 5 s.
    pub const DEFAULT_CLOSE_GRACE: Duration = Duration::from_secs(5);
    /// How long a connection that has come to its end may stand still, unless set: 2 s.
    pub const DEFAULT_LINGER: Duration = Duration::from_secs(2);

    pub(super) fn new(target: Target) -> Self {
        let source = target.source();
        let interface = target.interface().map(str::to_owned);
        Self {
            dialing: Dialing {
                target,
                timeout: Self::DEFAULT_CONNECT_TIMEOUT,
                attempt_delay: Self::DEFAULT_ATTEMPT_DELAY,
                source,
                interface,
                options: SocketOptions::default(),
                #[cfg(feature = "tls")]
                secure: None,
            },
            reconnect: None,
            stats: None,
            limits: QueueLimits {
                bytes: Self::DEFAULT_QUEUE_BYTES,
                messages: Self::DEFAULT_QUEUE_MESSAGES,
            },
            across_reconnect: QueuePolicy::default(),
            receive_queue: Self::DEFAULT_RECEIVE_QUEUE,
            event_capacity: Self::DEFAULT_EVENT_CAPACITY,
            early_data_events: false,
            close_grace: Self::DEFAULT_CLOSE_GRACE,
            linger: Self::DEFAULT_LINGER,
        }
    }

    /// How long one try to connect may take: the lookup, all addresses, and the TLS handshake
    /// where there is one. Default: [`DEFAULT_CONNECT_TIMEOUT`](Self::DEFAULT_CONNECT_TIMEOUT).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.dialing.timeout = timeout;
        self
    }

    /// Where the target has several addresses: how long after one the next is tried beside it
    /// (RFC 8305), from [`MIN_ATTEMPT_DELAY`](Self::MIN_ATTEMPT_DELAY) to
    /// [`MAX_ATTEMPT_DELAY`](Self::MAX_ATTEMPT_DELAY). After a failure the next follows at once.
    /// Default: [`DEFAULT_ATTEMPT_DELAY`](Self::DEFAULT_ATTEMPT_DELAY).
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.dialing.attempt_delay = delay.clamp(Self::MIN_ATTEMPT_DELAY, Self::MAX_ATTEMPT_DELAY);
        self
    }

    /// Speaks TLS, with the server that has a certificate for this name. An address counts as
    /// connected once its handshake is done. Default: plain TCP.
    ///
    /// A certificate that is not accepted is [`ConnectError::Certificate`]. It is permanent: unless
    /// [`Reconnect::retry_permanent`] says otherwise, no other try follows.
    #[cfg(feature = "tls")]
    pub fn tls(
        mut self,
        config: impl Into<Arc<crate::rustls::ClientConfig>>,
        server_name: crate::rustls::pki_types::ServerName<'static>,
    ) -> Self {
        self.dialing.secure = Some(Secure { config: config.into(), name: server_name });
        self
    }

    /// Connects again when the connection is lost, and repeats a first connect that fails.
    /// Default: neither.
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = Some(reconnect);
        self
    }

    /// Records to these statistics. Default: its own, see [`TcpClient::stats`].
    pub fn stats(mut self, stats: SocketStats) -> Self {
        self.stats = Some(stats);
        self
    }

    /// The bound of the outbox in bytes, at least 1. Default:
    /// [`DEFAULT_QUEUE_BYTES`](Self::DEFAULT_QUEUE_BYTES).
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes.max(1);
        self
    }

    /// The bound of the outbox in messages, at least 1. Default:
    /// [`DEFAULT_QUEUE_MESSAGES`](Self::DEFAULT_QUEUE_MESSAGES).
    pub fn queue_messages(mut self, messages: usize) -> Self {
        self.limits.messages = messages.max(1);
        self
    }

    /// What becomes of messages that are queued when the connection is lost; without
    /// [`reconnect`](Self::reconnect) they are always dropped. Default: [`QueuePolicy::Discard`].
    pub fn across_reconnect(mut self, policy: QueuePolicy) -> Self {
        self.across_reconnect = policy;
        self
    }

    /// How many reads wait to be received, at least 1. Default:
    /// [`DEFAULT_RECEIVE_QUEUE`](Self::DEFAULT_RECEIVE_QUEUE).
    pub fn receive_queue(mut self, reads: usize) -> Self {
        self.receive_queue = reads.clamp(1, tokio::sync::Semaphore::MAX_PERMITS - 1);
        self
    }

    /// How many events a subscriber may be behind before it misses some: from 1 to 65,536; the
    /// memory for them is taken at once by the first subscription. Default:
    /// [`DEFAULT_EVENT_CAPACITY`](Self::DEFAULT_EVENT_CAPACITY).
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
        self.dialing.options.no_delay = no_delay;
        self
    }

    /// Probes the server while nothing moves (`SO_KEEPALIVE`), to notice that it is gone. Default:
    /// no.
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.dialing.options.keepalive = Some(keepalive);
        self
    }

    /// How long bytes that were sent may stay without an acknowledgement before the connection is
    /// lost (`TCP_USER_TIMEOUT`, RFC 5482). Linux only; elsewhere it does nothing. Default: the
    /// kernel's own limit, about 15 minutes.
    pub fn user_timeout(mut self, timeout: Duration) -> Self {
        self.dialing.options.user_timeout = Some(timeout);
        self
    }

    /// The interface to connect through, by its name (`SO_BINDTODEVICE`), whatever the routes say.
    /// Linux only; elsewhere connecting fails. Default: the target's, else as the routes say.
    pub fn interface(mut self, name: impl Into<String>) -> Self {
        self.dialing.interface = Some(name.into());
        self
    }

    /// The local address to connect from; of several addresses only those of its family are tried.
    /// Default: the target's, else the kernel's choice.
    pub fn source(mut self, address: IpAddr) -> Self {
        self.dialing.source = Some(address);
        self
    }

    /// How long [`TcpClient::close`] takes at most. Default:
    /// [`DEFAULT_CLOSE_GRACE`](Self::DEFAULT_CLOSE_GRACE).
    pub fn close_grace(mut self, grace: Duration) -> Self {
        self.close_grace = grace;
        self
    }

    /// After a connection has come to its end: how long its last bytes may stand still (in
    /// [`TcpClient::close`] its grace is what counts), and how long the server's own end, and
    /// its acknowledgement of what was sent last, are waited for. With
    /// [`reconnect`](Self::reconnect), after a connection has failed: how long what it brought waits
    /// for somebody who receives; then it is left, and the next one is made. Default:
    /// [`DEFAULT_LINGER`](Self::DEFAULT_LINGER).
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Connects; with [`reconnect`](Self::reconnect), as often as that says.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: whom, and why not; the last try's.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// # Cancel safety
    ///
    /// Safe: where the future is dropped, nothing connects; what the kernel had connected by then is
    /// reset, so that nobody takes it for a stream that ended.
    pub async fn connect(self) -> Result<TcpClient, ConnectError> {
        let target = self.dialing.target.clone();
        let (client, first) = self.launch();
        let mut unclaimed = Unclaimed(Some(client));
        match (first.await, unclaimed.0.take()) {
            (Ok(Ok(())), Some(client)) => Ok(client),
            (Ok(Err(error)), _) => Err(error),
            // The task answers before it ends; it can be gone only with its runtime.
            _ => Err(ConnectError::Closed { target }),
        }
    }

    /// Begins to connect, and does not wait: events tell how it goes.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn start(self) -> TcpClient {
        self.launch().0
    }

    fn launch(self) -> (TcpClient, oneshot::Receiver<Result<(), ConnectError>>) {
        // One more, for the end of a stream.
        let (incoming, received) = mpsc::channel(self.receive_queue + 1);
        let (first, outcome) = oneshot::channel();
        let shared = Arc::new(Shared::new(
            self.dialing.target.clone(),
            Publisher::new(self.event_capacity, self.early_data_events, |missed| {
                ClientEvent::Lagged { missed }
            }),
            self.stats.unwrap_or_default(),
            self.limits,
            self.across_reconnect == QueuePolicy::Keep && self.reconnect.is_some(),
        ));
        let driver = Driver {
            shared: Arc::clone(&shared),
            dialing: self.dialing,
            reconnect: self.reconnect,
            patience: Patience {
                idle: None,
                first_byte: None,
                linger: self.linger,
                resets_unfinished: false,
                gives_up: self.reconnect.is_some(),
                acknowledged: true,
            },
            incoming,
            first: Some(first),
        };
        let task = TaskTracker::new();
        task.spawn(driver.run());
        task.close();
        let received = Mutex::new(Receiver::new(received));
        (TcpClient { shared, received, task, close_grace: self.close_grace }, outcome)
    }
}

/// A client that nobody has yet: where nobody comes to have it, it ends by a reset.
struct Unclaimed(Option<TcpClient>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(client) = &self.0 {
            client.abort();
        }
    }
}
