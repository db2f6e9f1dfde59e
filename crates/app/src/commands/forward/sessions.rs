//! The clients of a UDP forwarding, bounded in number, each with its socket to the target.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sockets_udp::UdpSocket;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::output::EventLine;

/// Why a client is no longer served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Idle,
    /// Another client needed its place.
    Evicted,
    /// Its socket failed.
    Failed,
    Shutdown,
}

impl Ending {
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle-timeout",
            Self::Evicted => "evicted",
            Self::Failed => "error",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A client.
pub(super) struct Session {
    number: u64,
    client: SocketAddr,
    target: SocketAddr,
    socket: UdpSocket,
    began: Instant,
    /// Milliseconds from `began` to the last datagram, either way.
    last_ms: AtomicU64,
    /// Bytes of datagrams from the client, as far as the kernel took them on.
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    ended: OnceLock<Ending>,
    over: CancellationToken,
}

impl Session {
    fn new(number: u64, client: SocketAddr, socket: UdpSocket, target: SocketAddr) -> Self {
        Self {
            number,
            client,
            target,
            socket,
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            ended: OnceLock::new(),
            over: CancellationToken::new(),
        }
    }

    /// The first ending holds.
    pub(super) fn end(&self, ending: Ending) {
        let _ = self.ended.set(ending);
        self.over.cancel();
    }

    /// Sends on what the client said. What the kernel does not take is counted by the socket's
    /// statistics, and told by its events.
    pub(super) async fn to_target(&self, data: &[u8]) {
        self.touch();
        match self.socket.send_to(data, self.target).await {
            Ok(()) => _ = self.bytes_in.fetch_add(data.len() as u64, Relaxed),
            Err(error) => tracing::debug!(client = %self.client, %error, "not forwarded"),
        }
    }

    /// The way back, until the session is over.
    pub(super) async fn to_client(&self, listener: &UdpSocket, idle: Duration) {
        let ending = loop {
            tokio::select! {
                () = self.over.cancelled() => break Ending::Shutdown,
                () = tokio::time::sleep_until(self.last() + idle) => {
                    if self.last().elapsed() >= idle {
                        break Ending::Idle;
                    }
                }
                datagram = self.socket.recv() => match datagram {
                    Ok(datagram) => {
                        self.touch();
                        match listener.send_to(&datagram.data, self.client).await {
                            Ok(()) => _ = self.bytes_out.fetch_add(datagram.data.len() as u64, Relaxed),
                            Err(error) => tracing::debug!(client = %self.client, %error, "not sent back"),
                        }
                    }
                    Err(error) => {
                        tracing::debug!(client = %self.client, %error, "the way back ended");
                        break Ending::Failed;
                    }
                },
            }
        };
        self.end(ending);
        self.socket.close();
    }

    fn touch(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Relaxed);
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last_ms.load(Relaxed))
    }

    pub(super) fn greeting(&self) -> EventLine {
        EventLine::Connected { client: Some(self.number), peer: self.client }
    }

    pub(super) fn farewell(&self) -> EventLine {
        EventLine::Disconnected {
            client: Some(self.number),
            peer: self.client,
            reason: self.ended.get().copied().unwrap_or(Ending::Shutdown).name(),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
        }
    }
}

/// That a client could not be served.
pub(super) fn not_served(client: SocketAddr, error: &anyhow::Error) -> EventLine {
    let error = format!("{client} is not served: {error:#}");
    EventLine::Error { client: None, operation: "connect", error }
}

/// The clients, never more than so many.
pub(super) struct Sessions {
    most: usize,
    admitted: u64,
    by_client: HashMap<SocketAddr, Arc<Session>>,
}

impl Sessions {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), admitted: 0, by_client: HashMap::new() }
    }

    /// The session of a client, unless it is over.
    pub(super) fn find(&self, client: SocketAddr) -> Option<Arc<Session>> {
        self.by_client.get(&client).filter(|session| session.ended.get().is_none()).cloned()
    }

    /// A session for a client that has none; and the one that was in the way.
    pub(super) fn admit(
        &mut self,
        client: SocketAddr,
        socket: UdpSocket,
        target: SocketAddr,
    ) -> (Arc<Session>, Option<Arc<Session>>) {
        self.admitted += 1;
        let session = Arc::new(Session::new(self.admitted, client, socket, target));
        let mut gone = self.by_client.insert(client, session.clone());
        if self.by_client.len() > self.most {
            let others = self.by_client.values().filter(|other| other.client != client);
            let silent = others.min_by_key(|other| other.last()).map(|other| other.client);
            gone = silent.and_then(|silent| self.by_client.remove(&silent));
        }
        (session, gone)
    }

    /// Takes out the session of a client if it is over.
    pub(super) fn remove_ended(&mut self, client: SocketAddr) -> Option<Arc<Session>> {
        let over = self.by_client.get(&client)?.ended.get().is_some();
        over.then(|| self.by_client.remove(&client)).flatten()
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<Session>> {
        std::mem::take(&mut self.by_client).into_values()
    }
}
