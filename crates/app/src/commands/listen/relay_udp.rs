//! A UDP relay: each datagram goes to every other peer that was heard of.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use sockets_udp::{DRAIN_LIMIT, RecvBatch, ReturnPath, UdpSocket};
use tokio_util::sync::CancellationToken;

/// How many peers are remembered; the one not heard of for longest is forgotten first.
pub(super) const MOST_PEERS: usize = 256;
/// How many datagrams are taken from the kernel in one call. Each needs 64 KiB of address space, of
/// which only what datagrams fill is used.
const DATAGRAMS_PER_CALL: usize = 64;

/// Relays until `stop`, then what had arrived by then. Returns how many datagrams could not be sent
/// on.
pub(super) async fn run(
    socket: &UdpSocket,
    prefix: &Bytes,
    stop: &CancellationToken,
) -> anyhow::Result<u64> {
    let mut batch = RecvBatch::new(DATAGRAMS_PER_CALL, RecvBatch::WHOLE);
    let mut peers = Peers::default();
    let mut failed = 0;
    while let Some(received) = stop.run_until_cancelled(socket.recv_many(&mut batch)).await {
        received.context("cannot relay")?;
        failed += relay(socket, prefix, &mut peers, &batch).await;
    }
    let mut left = DRAIN_LIMIT;
    while left > 0 {
        let received = socket.try_recv_many(&mut batch).context("cannot relay")?;
        if received == 0 {
            break;
        }
        left = left.saturating_sub(received as u64);
        failed += relay(socket, prefix, &mut peers, &batch).await;
    }
    Ok(failed)
}

async fn relay(socket: &UdpSocket, prefix: &[u8], peers: &mut Peers, batch: &RecvBatch) -> u64 {
    let said =
        |data| if prefix.is_empty() { Cow::from(data) } else { [prefix, data].concat().into() };
    let messages: Vec<_> = batch.iter().map(|datagram| said(datagram.data)).collect();
    let mut outgoing = Vec::new();
    for (datagram, message) in batch.iter().zip(&messages) {
        peers.heard(datagram.return_path());
        outgoing.extend(peers.others(datagram.source).map(|path| path.answer(message)));
    }
    let report = socket.send_many(&outgoing).await;
    for failed in &report.failed {
        tracing::debug!(error = %failed.error, "a datagram was not relayed");
    }
    report.failed.len() as u64
}

/// The peers, each with the way to it as it was last heard, the latest heard last.
#[derive(Debug, Default)]
struct Peers(VecDeque<ReturnPath>);

impl Peers {
    fn heard(&mut self, path: ReturnPath) {
        if self.0.back() == Some(&path) {
            return;
        }
        if let Some(position) = self.0.iter().position(|known| known.peer() == path.peer()) {
            self.0.remove(position);
        } else if self.0.len() == MOST_PEERS {
            self.0.pop_front();
        }
        self.0.push_back(path);
    }

    fn others(&self, peer: SocketAddr) -> impl Iterator<Item = &ReturnPath> {
        self.0.iter().filter(move |other| other.peer() != peer)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn the_peer_not_heard_of_for_longest_is_forgotten() {
        let open = || UdpSocket::builder().bind((Ipv4Addr::LOCALHOST, 0).into()).open().unwrap();
        let socket = open();
        let mut paths = Vec::new();
        // All stay open: each has a port of its own.
        let clients: Vec<_> = (0..=MOST_PEERS).map(|_| open()).collect();
        for client in &clients {
            client.send_to(b"", socket.local_addr()).await.unwrap();
            // Whoever had this port before may still be sent to.
            let path = loop {
                let path = socket.recv().await.unwrap().return_path();
                if path.peer() == client.local_addr() {
                    break path;
                }
            };
            paths.push(path);
        }
        let mut peers = Peers::default();
        paths[..MOST_PEERS].iter().for_each(|path| peers.heard(*path));
        peers.heard(paths[0]);
        let last = paths[MOST_PEERS];
        peers.heard(last);
        let others: Vec<_> = peers.others(last.peer()).collect();
        assert_eq!(others.len(), MOST_PEERS - 1);
        assert!(others.contains(&&paths[0]) && !others.contains(&&paths[1]));
    }
}
