//! UDP: a socket to the target for each client, as a NAT does it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use sockets_udp::UdpSocket;
use stats::SocketStats;
use tokio::task::JoinSet;

use super::sessions::{Ending, Sessions, not_served};
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
    /// The way back, one task a client; ends with the client's address.
    serving: JoinSet<SocketAddr>,
    stats: SocketStats,
    events: EventSender,
}

impl Forward {
    async fn run(mut self, stop: &tokio_util::sync::CancellationToken) -> anyhow::Result<()> {
        let result = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                Some(ended) = self.serving.join_next() => match ended {
                    Ok(client) => self.forget(client).await,
                    Err(error) => break Err(error.into()),
                },
                datagram = self.socket.recv() => match datagram {
                    Ok(datagram) => self.forward(datagram.source, &datagram.data).await,
                    Err(error) => break Err(error.into()),
                },
            }
        };
        for session in self.sessions.drain() {
            session.end(Ending::Shutdown);
            self.events.send(session.farewell()).await;
        }
        while self.serving.join_next().await.is_some() {}
        self.socket.close();
        result
    }

    async fn forward(&mut self, client: SocketAddr, data: &[u8]) {
        if self.sessions.find(client).is_none()
            && let Err(error) = self.admit(client).await
        {
            self.events.send(not_served(client, &error)).await;
            return;
        }
        let Some(session) = self.sessions.find(client) else { return };
        session.to_target(data).await;
    }

    /// A socket for a new client; where there are too many, the one silent for longest goes.
    async fn admit(&mut self, client: SocketAddr) -> anyhow::Result<()> {
        let socket = connect(self.target, self.source, &self.stats)?;
        let (session, evicted) = self.sessions.admit(client, socket, self.target);
        if let Some(evicted) = evicted {
            evicted.end(Ending::Evicted);
            self.events.send(evicted.farewell()).await;
        }
        self.events.send(session.greeting()).await;
        let (back, idle) = (self.socket.clone(), self.idle);
        self.serving.spawn(async move {
            session.to_client(&back, idle).await;
            client
        });
        Ok(())
    }

    /// After its way back has ended. An evicted client may be back with another session.
    async fn forget(&mut self, client: SocketAddr) {
        if let Some(session) = self.sessions.remove_ended(client) {
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
