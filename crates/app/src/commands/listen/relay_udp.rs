//! A UDP relay: each datagram goes to every other client that is remembered.

mod clients;

use std::borrow::Cow;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use sockets_tcp::ClientNumbers;
use sockets_udp::{DRAIN_LIMIT, Outgoing, RecvBatch, UdpSocket};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::clients::{Client, Clients};
use super::unanswerable::Unanswerable;
use crate::commands::conversation::telling::Teller;
use crate::output::EventLine;

/// How many datagrams are taken from the kernel in one call. Each needs 64 KiB of address space, of
/// which only what datagrams fill is used.
const DATAGRAMS_PER_CALL: usize = 64;

/// See the module's first line.
pub(super) struct Relay {
    socket: UdpSocket,
    prefix: Bytes,
    clients: Clients,
    unanswerable: Unanswerable,
    teller: Teller,
    /// How many datagrams could not be sent on.
    failed: u64,
}

impl Relay {
    /// One that forgets who sends nothing for so long.
    pub(super) fn new(
        socket: UdpSocket,
        prefix: Bytes,
        idle: Duration,
        numbers: ClientNumbers,
        teller: Teller,
    ) -> Self {
        let (clients, unanswerable) = (Clients::new(idle, numbers), Unanswerable::default());
        Self { socket, prefix, clients, unanswerable, teller, failed: 0 }
    }

    /// Relays until `stop`, then what had arrived by then. Returns how many datagrams could not be
    /// sent on.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> anyhow::Result<u64> {
        self.serve(stop).await.context("cannot relay")?;
        Ok(self.failed)
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Result<(), sockets_udp::RecvError> {
        let mut batch = RecvBatch::new(DATAGRAMS_PER_CALL, RecvBatch::WHOLE);
        loop {
            let next_end = self.clients.next_end();
            let silence = async {
                match next_end {
                    Some(end) => sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                received = self.socket.recv_many(&mut batch) => {
                    received?;
                    self.forget_silent();
                    self.relay(&batch).await;
                }
                () = silence => self.forget_silent(),
            }
        }
        let mut left = DRAIN_LIMIT;
        while left > 0 {
            let received = self.socket.try_recv_many(&mut batch)?;
            if received == 0 {
                break;
            }
            left = left.saturating_sub(received as u64);
            self.relay(&batch).await;
        }
        Ok(())
    }

    fn forget_silent(&mut self) {
        let now = Instant::now();
        while let Some(client) = self.clients.take_silent(now) {
            self.teller.tell(farewell(&client, "idle-timeout"));
        }
    }

    async fn relay(&mut self, batch: &RecvBatch) {
        let prefix = self.prefix.clone();
        let said = |data| {
            if prefix.is_empty() { Cow::from(data) } else { [&prefix[..], data].concat().into() }
        };
        let messages: Vec<_> = batch.iter().map(|datagram| said(datagram.data)).collect();
        let mut pending = Vec::new();
        let now = Instant::now();
        for (datagram, message) in batch.iter().zip(&messages) {
            let (path, len) = (datagram.return_path(), datagram.data.len());
            if self.clients.in_the_way_of(&path) {
                // Who has to make room gets what came before.
                self.send(&mut pending).await;
                if let Some(evicted) = self.clients.evict() {
                    self.teller.tell(farewell(&evicted, "evicted"));
                }
            }
            let number = self.clients.hear(path, len, now).map(|(client, is_new)| {
                if is_new {
                    self.teller.tell(greeting(client));
                }
                client.number
            });
            if number.is_none()
                && let Some(text) = self.unanswerable.hear(path.peer().ip())
            {
                self.teller.note(&text);
            }
            if self.teller.writes() {
                let peer = Some(path.peer());
                self.teller.tell(EventLine::Data { client: number, peer, len });
            }
            let others = self.clients.others(path.peer());
            pending.extend(others.map(|client| (client.number, client.path.answer(message))));
        }
        self.send(&mut pending).await;
    }

    async fn send(&mut self, pending: &mut Vec<(u64, Outgoing<'_>)>) {
        let outgoing: Vec<_> = pending.iter().map(|(_, outgoing)| *outgoing).collect();
        let report = self.socket.send_many(&outgoing).await;
        self.failed += report.failed.len() as u64;
        let mut failed = report.failed.iter().peekable();
        for (index, (client, outgoing)) in pending.drain(..).enumerate() {
            match failed.next_if(|failed| failed.index == index) {
                None => self.clients.note_sent(client, outgoing.data().len()),
                Some(failed) => {
                    tracing::debug!(error = %failed.error, "a datagram was not relayed");
                }
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for client in self.clients.drain() {
            self.teller.tell(farewell(&client, "shutdown"));
        }
        if let Some(text) = self.unanswerable.in_words() {
            self.teller.note(&text);
        }
    }
}

fn greeting(client: &Client) -> EventLine {
    EventLine::Connected { client: Some(client.number), peer: client.path.peer() }
}

fn farewell(client: &Client, reason: &'static str) -> EventLine {
    EventLine::Disconnected {
        client: Some(client.number),
        peer: client.path.peer(),
        reason,
        bytes_in: client.bytes_in,
        bytes_out: client.bytes_out,
        discarded: 0,
    }
}
