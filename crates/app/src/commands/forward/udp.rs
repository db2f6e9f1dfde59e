//! UDP: a socket to the target for each client, as a NAT does it.

mod target;
mod way_out;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ports_core::Transport;
use sockets_udp::{Datagram, RecvBatch, RecvError, ReturnPath, UdpSocket};
use stats::{ErrorKind, Role, SocketStats};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(super) use self::target::Target;
use super::ledger::Loss;
use super::mapping::{self, Lanes, Mapping, WayBack};
use super::mappings::Mappings;
use super::said::Said;
use crate::args::ForwardArgs;
use crate::commands::conversation::events::tell_listener;
use crate::commands::conversation::session::{GRACE, Session};
use crate::commands::conversation::telling::{Teller, not_served};
use crate::output::counted;

/// How many clients there are at once, each with a socket.
const MOST_CLIENTS: usize = 1024;
/// How many events of a client's socket are kept: only what the kernel tells by itself is of use.
const KEPT_EVENTS: usize = 16;

pub(super) async fn run(
    sockets: Vec<UdpSocket>,
    target: Target,
    args: &ForwardArgs,
    session: &Session,
) -> anyhow::Result<()> {
    let most = args.limits.most_clients().unwrap_or(MOST_CLIENTS);
    let mut telling = JoinSet::new();
    let mut forwarding = JoinSet::new();
    for socket in sockets {
        if session.tells() {
            let (events, terminal) = (session.events.clone(), session.terminal);
            telling.spawn(tell_listener(socket.events(), events, terminal));
        }
        let teller = Teller::start(&session.events, session.terminal, &mut telling);
        let way = WayBack {
            listener: socket.clone(),
            lanes: Arc::new(Lanes::new()),
            idle: args.limits.silence(),
            teller: teller.clone(),
            said: Arc::new(Said::new(session.terminal)),
            stats: session.stats.clone(),
        };
        let forward = Forward {
            socket,
            target,
            mappings: Mappings::new(most, session.clients.clone()),
            serving: JoinSet::new(),
            way,
            grace: GRACE,
            stats: session.stats.clone(),
            teller,
            unserved: 0,
            in_hand: Loss::default(),
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
    target: Target,
    mappings: Mappings,
    /// The way back, one task a client.
    serving: JoinSet<Arc<Mapping>>,
    way: WayBack,
    /// How long the way out may take.
    grace: Duration,
    stats: SocketStats,
    teller: Teller,
    /// How many datagrams came from clients that could not be served.
    unserved: u64,
    /// Datagrams that were taken from clients, and are not given to the target's kernel yet.
    in_hand: Loss,
}

/// Datagrams on their way to the target, each with its client's mapping.
type Pending<'a> = Vec<(Arc<Mapping>, &'a [u8])>;

impl Forward {
    async fn run(mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut batch = mapping::new_batch();
        // A failure here is to end this one, and nobody else yet.
        let (stop, grace) = (stop.child_token(), self.grace);
        let result = tokio::select! {
            result = async {
                let served = self.serve(&mut batch, &stop).await;
                stop.cancel();
                self.finish(&mut batch, served).await
            } => result,
            () = async {
                stop.cancelled().await;
                sleep(grace).await;
            } => {
                self.cut().await;
                Ok(())
            }
        };
        self.socket.close();
        if self.unserved > 0 {
            let datagrams = counted(self.unserved, "datagram", "datagrams");
            self.teller.warn(&format!("{datagrams} of clients that were not served"));
        }
        result
    }

    /// Until the command is to stop.
    async fn serve(
        &mut self,
        batch: &mut RecvBatch,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.serving.join_next() => self.forget(&*ended?),
                first = self.socket.recv() => { self.take(first, batch).await?; }
            }
        }
    }

    /// Sends on the first datagram, and with it those that came meanwhile; how many.
    async fn take(
        &mut self,
        first: Result<Datagram, RecvError>,
        batch: &mut RecvBatch,
    ) -> anyhow::Result<u64> {
        let first = first?;
        self.forget_ended()?;
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
        let lens = whole.clone().map(|(_, data)| data.len());
        for len in lens.chain(batch.iter().map(|more| more.data.len())) {
            self.in_hand.messages += 1;
            self.in_hand.bytes += len as u64;
        }
        self.forward(whole.chain(rest)).await;
        let next = next.transpose()?;
        Ok(1 + u64::from(next.is_some()) + more? as u64)
    }

    /// Sends on what is in hand.
    async fn forward<'a>(&mut self, datagrams: impl Iterator<Item = (ReturnPath, &'a [u8])>) {
        let mut pending = Pending::new();
        for (path, data) in datagrams {
            let mapping = if let Some(mapping) = self.mappings.find(path) {
                mapping
            } else {
                // Who has to make room for this client has what came before sent on.
                self.send_on(&mut pending).await;
                match self.mapping_for(path).await {
                    Ok(mapping) => mapping,
                    Err(error) => {
                        self.refuse(path.peer(), &error, &[data]);
                        continue;
                    }
                }
            };
            if self.teller.writes() {
                self.teller.tell(mapping.said(data.len()));
            }
            pending.push((mapping, data));
        }
        self.send_on(&mut pending).await;
    }

    /// Client by client, of each in the order they came.
    async fn send_on(&mut self, pending: &mut Pending<'_>) {
        pending.sort_by_key(|(mapping, _)| mapping.number());
        for run in pending.chunk_by(|(one, _), (other, _)| one.number() == other.number()) {
            let [(mapping, _), ..] = run else { continue };
            let datagrams: Vec<_> = run.iter().map(|(_, data)| *data).collect();
            let mut left = &datagrams[mapping.to_target(&datagrams, &self.way).await..];
            let mut why = None;
            if !left.is_empty() {
                // It is over since it was looked up.
                match self.mapping_for(mapping.path()).await {
                    Ok(mapping) => left = &left[mapping.to_target(left, &self.way).await..],
                    Err(error) => why = Some(error),
                }
            }
            self.settle(&datagrams[..datagrams.len() - left.len()]);
            if !left.is_empty() {
                let why = why.unwrap_or_else(|| anyhow::anyhow!("its socket was closed meanwhile"));
                self.refuse(mapping.path().peer(), &why, left);
            }
        }
        pending.clear();
    }

    /// They were dealt with.
    fn settle(&mut self, datagrams: &[&[u8]]) {
        self.in_hand.messages -= datagrams.len() as u64;
        self.in_hand.bytes -= datagrams.iter().map(|data| data.len() as u64).sum::<u64>();
    }

    /// The user hears of the first; every event is told.
    fn refuse(&mut self, client: SocketAddr, error: &anyhow::Error, datagrams: &[&[u8]]) {
        if self.unserved == 0 {
            self.teller.warn(&format!("{client} is not served: {error:#}"));
        }
        self.settle(datagrams);
        self.unserved += datagrams.len() as u64;
        for data in datagrams {
            self.stats.error(Transport::Udp, Role::Peer, ErrorKind::Connect);
            self.stats.dropped(Transport::Udp, Role::Peer, 1, data.len() as u64);
        }
        self.teller.tell(not_served(client, error));
    }

    /// The mapping of a client, a new one if it has none; where there are too many clients, the one
    /// silent for longest goes.
    async fn mapping_for(&mut self, path: ReturnPath) -> anyhow::Result<Arc<Mapping>> {
        if let Some(mapping) = self.mappings.find(path) {
            return Ok(mapping);
        }
        if self.mappings.is_full() {
            // Those that are over have their turn first.
            yield_now().await;
            self.forget_ended()?;
            anyhow::ensure!(
                !self.mappings.is_full(),
                "the sockets of clients that are gone still have answers for them"
            );
        }
        let socket = self.target.connect(&self.stats)?;
        let events = socket.events();
        let mapping = self.mappings.admit(path, socket, self.target.address);
        self.teller.tell(mapping.greeting());
        let (serving, way) = (mapping.clone(), self.way.clone());
        self.serving.spawn(async move {
            serving.to_client(&way, events).await;
            serving
        });
        Ok(mapping)
    }

    /// Those whose way back has ended by now.
    fn forget_ended(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.serving.try_join_next() {
            self.forget(&*ended?);
        }
        Ok(())
    }

    /// After its way back has ended: only now its bytes are known.
    fn forget(&mut self, mapping: &Mapping) {
        self.mappings.remove(mapping);
        self.teller.tell(mapping.farewell());
    }
}

#[cfg(test)]
mod tests;
