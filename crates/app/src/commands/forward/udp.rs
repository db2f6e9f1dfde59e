//! UDP: a socket to the target for each client, as a NAT does it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sockets_udp::{DRAIN_LIMIT, RecvBatch, ReturnPath, UdpSocket};
use stats::SocketStats;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::sessions::{self, Ending, Lanes, Session as ClientSession, Sessions, not_served};
use crate::args::ForwardArgs;
use crate::commands::connect::resolve::addresses;
use crate::commands::connect::session::Session;
use crate::commands::listen::events::tell_udp;
use crate::output::EventSender;

/// How long a client may be silent, both ways, before it is forgotten (RFC 4787 section 4.3: a
/// mapping lasts at least two minutes).
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// How many clients there are at once, each with a socket.
const MOST_CLIENTS: usize = 1024;

pub(super) async fn run(
    sockets: Vec<UdpSocket>,
    args: &ForwardArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let Some(resolved) = session.stop.run_until_cancelled(addresses(&args.target)).await else {
        return Ok(());
    };
    let source = args.source.or(args.target.options().source());
    let fits = |address: &SocketAddr| source.is_none_or(|ip| ip.is_ipv4() == address.is_ipv4());
    let target = resolved?.into_iter().find(fits);
    let target = target
        .with_context(|| format!("{} has no address of the family of the source", args.target))?;
    let most = args.limits.most_clients().unwrap_or(MOST_CLIENTS);
    let mut telling = JoinSet::new();
    let mut forwarding = JoinSet::new();
    for socket in sockets {
        if session.events.is_on() {
            telling.spawn(tell_udp(socket.events(), session.events.clone()));
        }
        let forward = Forward {
            socket,
            target,
            source,
            idle: args.limits.idle_timeout.unwrap_or(IDLE_TIMEOUT),
            sessions: Sessions::new(most),
            serving: JoinSet::new(),
            lanes: Arc::new(Lanes::new()),
            stats: session.stats.clone(),
            events: session.events.clone(),
        };
        let stop = session.stop.clone();
        forwarding.spawn(async move { forward.run(&stop).await });
    }
    let mut result = Ok(());
    while let Some(ended) = forwarding.join_next().await {
        result = result.and(ended?);
        session.stop.cancel();
    }
    while telling.join_next().await.is_some() {}
    result
}

/// One listening socket and those of its clients.
struct Forward {
    socket: UdpSocket,
    target: SocketAddr,
    source: Option<IpAddr>,
    idle: Duration,
    sessions: Sessions,
    /// The way back, one task a client.
    serving: JoinSet<ReturnPath>,
    lanes: Arc<Lanes>,
    stats: SocketStats,
    events: EventSender,
}

/// Datagrams on their way to the target, each with its client's session.
type Pending<'a> = Vec<(Arc<ClientSession>, &'a [u8])>;

impl Forward {
    async fn run(mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut batch = sessions::new_batch();
        let result = loop {
            tokio::select! {
                () = stop.cancelled() => break self.drain(&mut batch).await,
                Some(ended) = self.serving.join_next() => match ended {
                    Ok(path) => self.forget(path).await,
                    Err(error) => break Err(error.into()),
                },
                received = self.socket.recv_many(&mut batch) => match received {
                    Ok(_) => self.forward(&batch).await,
                    Err(error) => break Err(error.into()),
                },
            }
        };
        let sessions: Vec<_> = self.sessions.drain().collect();
        for session in &sessions {
            session.end(Ending::Shutdown);
        }
        while self.serving.join_next().await.is_some() {}
        for session in sessions {
            self.events.send(session.farewell()).await;
        }
        self.socket.close();
        result
    }

    /// Sends on what had arrived before the command was told to stop.
    async fn drain(&mut self, batch: &mut RecvBatch) -> anyhow::Result<()> {
        let mut left = DRAIN_LIMIT;
        while left > 0 {
            let received = self.socket.try_recv_many(batch)?;
            if received == 0 {
                break;
            }
            left = left.saturating_sub(received as u64);
            self.forward(batch).await;
        }
        Ok(())
    }

    async fn forward(&mut self, batch: &RecvBatch) {
        let mut pending = Pending::new();
        for datagram in batch.iter() {
            let path = datagram.return_path();
            let session = if let Some(session) = self.sessions.find(path) {
                session
            } else {
                // Who has to make room for this client has what came before sent on.
                self.send_on(&mut pending).await;
                match self.admit(path).await {
                    Ok(session) => session,
                    Err(error) => {
                        self.events.send(not_served(path.peer(), &error)).await;
                        continue;
                    }
                }
            };
            pending.push((session, datagram.data));
        }
        self.send_on(&mut pending).await;
    }

    /// Client by client, of each in the order they came.
    async fn send_on(&mut self, pending: &mut Pending<'_>) {
        pending.sort_by_key(|(session, _)| session.number());
        for run in pending.chunk_by(|(one, _), (other, _)| one.number() == other.number()) {
            let [(session, _), ..] = run else { continue };
            let datagrams: Vec<_> = run.iter().map(|(_, data)| *data).collect();
            let done = session.to_target(&datagrams).await;
            if done == datagrams.len() {
                continue;
            }
            // The session has ended since it was looked up.
            match self.admit(session.path()).await {
                Ok(session) => _ = session.to_target(&datagrams[done..]).await,
                Err(error) => {
                    self.events.send(not_served(session.path().peer(), &error)).await;
                }
            }
        }
        pending.clear();
    }

    /// A socket for a new client; where there are too many, the one silent for longest goes.
    async fn admit(&mut self, path: ReturnPath) -> anyhow::Result<Arc<ClientSession>> {
        let socket = connect(self.target, self.source, &self.stats)?;
        let (session, evicted) = self.sessions.admit(path, socket, self.target);
        if let Some(evicted) = evicted {
            evicted.end(Ending::Evicted);
            self.events.send(evicted.farewell()).await;
        }
        self.events.send(session.greeting()).await;
        let (serving, lanes) = (session.clone(), self.lanes.clone());
        let (back, idle) = (self.socket.clone(), self.idle);
        self.serving.spawn(async move {
            serving.to_client(&back, &lanes, idle).await;
            path
        });
        Ok(session)
    }

    /// After its way back has ended. An evicted client may be back with another session.
    async fn forget(&mut self, path: ReturnPath) {
        if let Some(session) = self.sessions.remove_ended(path) {
            self.events.send(session.farewell()).await;
        }
    }
}

/// Only a connected socket is told that nobody listens at its peer, and takes nothing from others.
fn connect(
    target: SocketAddr,
    source: Option<IpAddr>,
    stats: &SocketStats,
) -> anyhow::Result<UdpSocket> {
    let failed = || format!("cannot open a socket to udp {target}");
    let any = match target {
        SocketAddr::V4(_) => IpAddr::from([0; 4]),
        SocketAddr::V6(_) => IpAddr::from([0u16; 8]),
    };
    let socket = std::net::UdpSocket::bind((source.unwrap_or(any), 0)).with_context(failed)?;
    socket.connect(target).with_context(failed)?;
    UdpSocket::builder().socket(socket).stats(stats.clone()).open().with_context(failed)
}
