//! What all parts of a server share: who is connected, the counts, how all are drained or ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ports_core::SocketInfo;
use stats::SocketStats;
use tokio_util::sync::CancellationToken;

use super::coming::Arrivals;
use super::{
    ClientId, ClientInfo, ClientNumbers, CutOff, Refusal, ServerEvent, ServerInfo, ShutdownReport,
    SlowPolicy, UnknownClientError, Unread,
};
use crate::close_reason::CloseReason;
use crate::drive::Ended;
use crate::events::{Events, Publisher, lock};
use crate::link::{Closing, Link};

/// What all parts of a server share.
pub(crate) struct ServerState {
    table: Mutex<Table>,
    numbers: ClientNumbers,
    accepted: AtomicU64,
    refused: AtomicU64,
    handshakes_failed: AtomicU64,
    slow: SlowPolicy,
    max_connections: usize,
    events: Publisher<ServerEvent>,
    stats: SocketStats,
    stopping: CancellationToken,
    arrivals: Arc<Arrivals>,
    /// Clients that a relay still reads.
    relayed: Arc<Arrivals>,
}

/// What becomes of connections that are there, and of those that still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    Draining,
    Aborted,
}

struct Table {
    // Ordered, so that lists and broadcasts go by age.
    links: BTreeMap<ClientId, Arc<Link>>,
    /// Who was there when all were ended: a handler that has something in hand then counts it for each.
    ended: BTreeMap<ClientId, Arc<Link>>,
    stage: Stage,
    report: ShutdownReport,
}

impl ServerState {
    pub(super) fn new(
        slow: SlowPolicy,
        max_connections: usize,
        events: Publisher<ServerEvent>,
        stats: SocketStats,
        numbers: ClientNumbers,
    ) -> Self {
        Self {
            numbers,
            table: Mutex::new(Table {
                links: BTreeMap::new(),
                ended: BTreeMap::new(),
                stage: Stage::Serving,
                report: ShutdownReport::default(),
            }),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            slow,
            max_connections,
            events,
            stats,
            stopping: CancellationToken::new(),
            arrivals: Arc::default(),
            relayed: Arc::default(),
        }
    }

    /// Those who may still come, and those who came and whose handlers have not begun.
    pub(crate) fn arrivals(&self) -> &Arc<Arrivals> {
        &self.arrivals
    }

    /// Clients that a relay still reads.
    pub(crate) fn relayed(&self) -> &Arc<Arrivals> {
        &self.relayed
    }

    /// Cancelled when the server begins to stop.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    pub(super) fn stats(&self) -> &SocketStats {
        &self.stats
    }

    pub(super) fn publisher(&self) -> &Publisher<ServerEvent> {
        &self.events
    }

    pub(super) fn subscribe(&self) -> Events<ServerEvent> {
        self.events.subscribe()
    }

    pub(super) fn slow_policy(&self) -> SlowPolicy {
        self.slow
    }

    pub(super) fn next_id(&self) -> ClientId {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.numbers.draw()
    }

    pub(super) fn insert(&self, client: ClientId, link: &Arc<Link>) {
        let mut table = lock(&self.table);
        table.links.insert(client, Arc::clone(link));
        let stage = table.stage;
        drop(table);
        match stage {
            Stage::Serving => {}
            Stage::Draining => link.drain(),
            Stage::Aborted => {
                link.halt();
                link.close(Closing::Abort(CloseReason::Shutdown));
            }
        }
    }

    pub(super) fn remove(&self, client: ClientId, link: &Link, ended: &Ended) {
        let mut table = lock(&self.table);
        table.links.remove(&client);
        if table.stage == Stage::Serving {
            return;
        }
        let whole = !ended.aborted
            && ended.unsent() == 0
            && ended.unacknowledged == 0
            && !ended.reason.is_broken_stream()
            && !ended.reason.is_handlers_failure();
        let peer = link.tuple().remote;
        if whole && ended.input_lost {
            let bytes = ended.traffic.discarded;
            table.report.unread.push(Unread { client, peer, bytes });
        } else if whole {
            table.report.drained += 1;
        } else {
            table.report.cut_off.push(CutOff {
                client,
                peer,
                reason: ended.reason,
                unsent_bytes: ended.unsent(),
                unacknowledged_bytes: ended.unacknowledged,
                discarded_bytes: ended.traffic.discarded,
            });
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        lock(&self.table).stage == Stage::Draining
    }

    /// Tells that somebody waits for a place.
    pub(super) fn publish_full(&self) {
        self.events.publish(ServerEvent::Full { max_connections: self.max_connections });
    }

    /// Counts and tells a connection that was closed before it was served.
    pub(super) fn refused(&self, peer: SocketAddr, reason: Refusal) {
        self.count_refused(1);
        if reason == Refusal::Shutdown {
            lock(&self.table).report.refused += 1;
        }
        self.events.publish(ServerEvent::Refused { peer, reason });
    }

    /// Counts those whom the end of the server refused without knowing their addresses.
    pub(super) fn refused_unseen(&self, connections: usize) {
        self.count_refused(connections as u64);
        lock(&self.table).report.refused += connections;
    }

    pub(super) fn count_refused(&self, connections: u64) {
        self.refused.fetch_add(connections, Ordering::Relaxed);
    }

    /// Notes in the report that the end of the server cut off a connection that was no client yet.
    #[cfg(feature = "tls")]
    pub(super) fn cut_before_served(&self) {
        lock(&self.table).report.refused += 1;
    }

    /// Counts and tells a connection that began no TLS session.
    #[cfg(feature = "tls")]
    pub(super) fn handshake_failed(&self, peer: SocketAddr, failure: crate::failure::Failure) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
        let transport = ports_core::Transport::Tcp;
        self.stats.error(transport, stats::Role::Server, stats::ErrorKind::Handshake);
        self.events.publish(ServerEvent::HandshakeFailed { peer, failure });
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.table).links.is_empty()
    }

    pub(super) fn link(&self, client: ClientId) -> Option<Arc<Link>> {
        lock(&self.table).links.get(&client).cloned()
    }

    pub(super) fn links(&self, except: Option<ClientId>) -> Vec<Arc<Link>> {
        let table = lock(&self.table);
        let links = if table.stage == Stage::Aborted { &table.ended } else { &table.links };
        let others = links.iter().filter(|(client, _)| Some(**client) != except);
        others.map(|(_, link)| Arc::clone(link)).collect()
    }

    pub(super) fn close(
        &self,
        client: ClientId,
        closing: Closing,
    ) -> Result<(), UnknownClientError> {
        self.link(client).ok_or(UnknownClientError { client })?.close(closing);
        Ok(())
    }

    /// Begins the end: from here on every connection that ends is in the report.
    pub(super) fn drain(&self) {
        let links = self.enter(Stage::Draining);
        // Before the reads end, so that a handler sees why they did.
        self.stopping.cancel();
        for link in links {
            link.drain();
        }
    }

    pub(super) fn abort(&self) {
        let abort = Closing::Abort(CloseReason::Shutdown);
        self.halt().iter().for_each(|link| link.close(abort));
    }

    /// See [`TcpServer::cut_off`](super::TcpServer::cut_off).
    pub(super) fn cut_off(&self) {
        for link in self.halt() {
            link.cut_off(CloseReason::Shutdown, false);
        }
    }

    /// Nobody reads any more when the first one is closed: what its end lets a handler go on with is
    /// what that has in hand, and nothing new.
    fn halt(&self) -> Vec<Arc<Link>> {
        let links = self.enter(Stage::Aborted);
        for link in &links {
            link.halt();
        }
        links
    }

    fn enter(&self, stage: Stage) -> Vec<Arc<Link>> {
        let mut table = lock(&self.table);
        if table.stage != Stage::Aborted {
            table.stage = stage;
            if stage == Stage::Aborted {
                table.ended = table.links.clone();
            }
        }
        table.links.values().cloned().collect()
    }

    /// What has ended since the end began; what could not be ended yet counts as cut off.
    pub(super) fn shutdown_report(&self) -> ShutdownReport {
        let (mut report, links, ended) = {
            let table = lock(&self.table);
            let links: Vec<_> = table.links.iter().map(|(id, link)| (*id, link.clone())).collect();
            (table.report.clone(), links, table.ended.clone())
        };
        for cut in &mut report.cut_off {
            // Others may have counted what they had in hand for it later.
            if let Some(link) = ended.get(&cut.client) {
                cut.unsent_bytes = link.traffic().lost.bytes;
            }
        }
        report.cut_off.extend(links.into_iter().map(|(client, link)| {
            let traffic = link.traffic();
            CutOff {
                client,
                peer: link.tuple().remote,
                reason: CloseReason::Shutdown,
                unsent_bytes: traffic.lost.bytes + traffic.queued.bytes,
                unacknowledged_bytes: link.unacknowledged(),
                discarded_bytes: link.undelivered(),
            }
        }));
        report
    }

    pub(super) fn server_info(&self, socket: SocketInfo) -> ServerInfo {
        ServerInfo {
            socket,
            active: lock(&self.table).links.len(),
            accepted: self.accepted.load(Ordering::Relaxed),
            max_connections: self.max_connections,
            refused: self.refused.load(Ordering::Relaxed),
            handshakes_failed: self.handshakes_failed.load(Ordering::Relaxed),
        }
    }

    pub(super) fn infos(&self) -> Vec<ClientInfo> {
        let links: Vec<_> = {
            let table = lock(&self.table);
            table.links.iter().map(|(client, link)| (*client, Arc::clone(link))).collect()
        };
        links.into_iter().map(|(client, link)| ClientInfo::new(client, &link)).collect()
    }
}
