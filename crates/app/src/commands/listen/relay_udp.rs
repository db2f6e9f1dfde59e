//! A UDP relay: each datagram goes to every other peer that was heard of.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use sockets_udp::{DRAIN_LIMIT, Datagram, UdpSocket};
use tokio_util::sync::CancellationToken;

/// How many peers are remembered; the one not heard of for longest is forgotten first.
pub(super) const MOST_PEERS: usize = 256;

/// Relays until `stop`, then what had arrived by then. Returns how many datagrams could not be sent
/// on.
pub(super) async fn run(
    socket: &UdpSocket,
    prefix: &Bytes,
    stop: &CancellationToken,
) -> anyhow::Result<u64> {
    let mut peers = Peers::default();
    let mut failed = 0;
    while let Some(datagram) = stop.run_until_cancelled(socket.recv()).await {
        failed += relay(socket, prefix, &mut peers, &datagram.context("cannot relay")?).await;
    }
    for _ in 0..DRAIN_LIMIT {
        let Some(datagram) = socket.try_recv().context("cannot relay")? else { break };
        failed += relay(socket, prefix, &mut peers, &datagram).await;
    }
    Ok(failed)
}

async fn relay(socket: &UdpSocket, prefix: &Bytes, peers: &mut Peers, datagram: &Datagram) -> u64 {
    peers.heard(datagram.source);
    let mut message = BytesMut::from(&prefix[..]);
    message.extend_from_slice(&datagram.data);
    let mut failed = 0;
    for peer in peers.others(datagram.source) {
        if let Err(error) = socket.send_to(&message, peer).await {
            tracing::debug!(%peer, %error, "a datagram was not relayed");
            failed += 1;
        }
    }
    failed
}

/// The peers, the latest heard last.
#[derive(Debug, Default)]
struct Peers(VecDeque<SocketAddr>);

impl Peers {
    fn heard(&mut self, peer: SocketAddr) {
        if self.0.back() == Some(&peer) {
            return;
        }
        if let Some(position) = self.0.iter().position(|known| *known == peer) {
            self.0.remove(position);
        } else if self.0.len() == MOST_PEERS {
            self.0.pop_front();
        }
        self.0.push_back(peer);
    }

    fn others(&self, peer: SocketAddr) -> impl Iterator<Item = SocketAddr> + '_ {
        self.0.iter().copied().filter(move |other| *other != peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_not_heard_of_for_longest_is_forgotten() {
        let peer = |number: usize| SocketAddr::from(([127, 0, 0, 1], 1000 + number as u16));
        let mut peers = Peers::default();
        (0..MOST_PEERS).for_each(|number| peers.heard(peer(number)));
        peers.heard(peer(0));
        peers.heard(peer(MOST_PEERS));
        let others: Vec<_> = peers.others(peer(MOST_PEERS)).collect();
        assert_eq!(others.len(), MOST_PEERS - 1);
        assert!(others.contains(&peer(0)) && !others.contains(&peer(1)));
    }
}
