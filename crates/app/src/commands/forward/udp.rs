//! UDP: a socket to the target for each client, as a NAT does it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sockets_udp::{DRAIN_LIMIT, Datagram, RecvBatch, RecvError, ReturnPath, UdpSocket};
use stats::SocketStats;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::session::{self, Ending, Lanes, Session as ClientSession, WayBack};
use super::sessions::Sessions;
use super::telling::{Teller, not_served};
use crate::args::ForwardArgs;
use crate::commands::connect::resolve::addresses;
use crate::commands::connect::session::Session;
use crate::commands::listen::events::tell_udp;

/// How long a client may be silent, both ways, before it is forgotten (RFC 4787 section 4.3: a
/// mapping lasts at least two minutes).
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// How many clients there are at once, each with a socket.
const MOST_CLIENTS: usize = 1024;
/// How often it is looked whether nobody is there: the kernel wakes nobody for that who only receives.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many events of a client's socket are kept: only what fails is one.
const KEPT_EVENTS: usize = 16;

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
    // A source that is not here would fail each client alike.
    if let Some(source) = source {
        std::net::UdpSocket::bind((source, 0))
            .with_context(|| format!("cannot send to udp {target} from {source}"))?;
    }
    let most = args.limits.most_clients().unwrap_or(MOST_CLIENTS);
    let mut telling = JoinSet::new();
    let mut forwarding = JoinSet::new();
    for socket in sockets {
        if session.tells() {
            let (events, terminal) = (session.events.clone(), session.terminal);
            telling.spawn(tell_udp(socket.events(), events, terminal));
        }
        let teller = Teller::start(&session.events, session.terminal, &mut telling);
        let way = WayBack {
            listener: socket.clone(),
            lanes: Arc::new(Lanes::new()),
            idle: args.limits.idle_timeout.unwrap_or(IDLE_TIMEOUT),
            teller: teller.clone(),
        };
        let forward = Forward {
            socket,
            target,
            source,
            sessions: Sessions::new(most),
            serving: JoinSet::new(),
            way,
            stats: session.stats.clone(),
            teller,
            unserved: 0,
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
    sessions: Sessions,
    /// The way back, one task a client.
    serving: JoinSet<ReturnPath>,
    way: WayBack,
    stats: SocketStats,
    teller: Teller,
    /// How many datagrams came from clients that could not be served.
    unserved: u64,
}

/// Datagrams on their way to the target, each with its client's session.
type Pending<'a> = Vec<(Arc<ClientSession>, &'a [u8])>;

impl Forward {
    async fn run(mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut batch = session::new_batch();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let result = loop {
            tokio::select! {
                () = stop.cancelled() => break self.drain(&mut batch).await,
                _ = looks.tick() => self.sessions.look(),
                Some(ended) = self.serving.join_next() => match ended {
                    Ok(path) => self.forget(path),
                    Err(error) => break Err(error.into()),
                },
                first = self.socket.recv() => if let Err(error) = self.take(first, &mut batch).await {
                    break Err(error);
                },
            }
        };
        let sessions: Vec<_> = self.sessions.drain().collect();
        for session in &sessions {
            session.end(Ending::Shutdown);
        }
        while self.serving.join_next().await.is_some() {}
        for session in sessions {
            self.teller.tell(session.farewell());
        }
        self.socket.close();
        if self.unserved > 0 {
            let datagrams = self.unserved;
            self.teller.warn(&format!("{datagrams} datagrams of clients that were not served"));
        }
        result
    }

    /// Sends on what had arrived before the command was told to stop.
    async fn drain(&mut self, batch: &mut RecvBatch) -> anyhow::Result<()> {
        let mut left = DRAIN_LIMIT;
        while left > 0
            && let Some(first) = self.socket.try_recv()?
        {
            left = left.saturating_sub(self.take(Ok(first), batch).await?);
        }
        Ok(())
    }

    /// Sends on the first datagram, and with it those that came meanwhile; how many.
    async fn take(
        &mut self,
        first: Result<Datagram, RecvError>,
        batch: &mut RecvBatch,
    ) -> anyhow::Result<u64> {
        let first = first?;
        let next = self.socket.try_recv();
        batch.clear();
        // One alone, as questions come, is not worth a batch.
        let more = match &next {
            Ok(Some(_)) => self.socket.try_recv_many(batch),
            _ => Ok(0),
        };
        let next = next.transpose();
        let whole =
            std::iter::once(&first).chain(next.iter().filter_map(|next| next.as_ref().ok()));
        let whole = whole.map(|datagram| (datagram.return_path(), &datagram.data[..]));
        let rest = batch.iter().map(|more| (more.return_path(), more.data));
        self.forward(whole.chain(rest)).await;
        let next = next.transpose()?;
        Ok(1 + u64::from(next.is_some()) + more? as u64)
    }

    async fn forward<'a>(&mut self, datagrams: impl Iterator<Item = (ReturnPath, &'a [u8])>) {
        let mut pending = Pending::new();
        for (path, data) in datagrams {
            let session = if let Some(session) = self.sessions.find(path) {
                session
            } else {
                // Who has to make room for this client has what came before sent on.
                self.send_on(&mut pending).await;
                match self.admit(path) {
                    Ok(session) => session,
                    Err(error) => {
                        self.refuse(path.peer(), &error, 1);
                        continue;
                    }
                }
            };
            if self.teller.writes() {
                self.teller.tell(session.said(data.len()));
            }
            pending.push((session, data));
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
            match self.admit(session.path()) {
                Ok(session) => _ = session.to_target(&datagrams[done..]).await,
                Err(error) => {
                    self.refuse(session.path().peer(), &error, datagrams.len() - done);
                }
            }
        }
        pending.clear();
    }

    /// The user hears of the first; every event is told.
    fn refuse(&mut self, client: SocketAddr, error: &anyhow::Error, datagrams: usize) {
        if self.unserved == 0 {
            self.teller.warn(&format!("{client} is not served: {error:#}"));
        }
        self.unserved += datagrams as u64;
        self.teller.tell(not_served(client, error));
    }

    /// A socket for a new client; where there are too many, the one silent for longest goes.
    fn admit(&mut self, path: ReturnPath) -> anyhow::Result<Arc<ClientSession>> {
        let socket = connect(self.target, self.source, &self.stats)?;
        let events = socket.events();
        let (session, evicted) = self.sessions.admit(path, socket, self.target);
        if let Some(evicted) = evicted {
            evicted.end(Ending::Evicted);
            self.teller.tell(evicted.farewell());
        }
        self.teller.tell(session.greeting());
        let (serving, way) = (session.clone(), self.way.clone());
        self.serving.spawn(async move {
            serving.to_client(&way, events).await;
            path
        });
        Ok(session)
    }

    /// After its way back has ended. An evicted client may be back with another session.
    fn forget(&mut self, path: ReturnPath) {
        if let Some(session) = self.sessions.remove_ended(path) {
            self.teller.tell(session.farewell());
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
    UdpSocket::builder()
        .socket(socket)
        .stats(stats.clone())
        .datagram_events(false)
        .event_capacity(KEPT_EVENTS)
        .open()
        .with_context(failed)
}
