//! A UDP relay: each datagram goes to every other peer that is remembered.

use std::borrow::Cow;

use anyhow::Context;
use bytes::Bytes;
use sockets_udp::{DRAIN_LIMIT, RecvBatch, UdpSocket};
use tokio_util::sync::CancellationToken;

use super::peers::Peers;
use crate::output::Terminal;

/// How many datagrams are taken from the kernel in one call. Each needs 64 KiB of address space, of
/// which only what datagrams fill is used.
const DATAGRAMS_PER_CALL: usize = 64;

/// Relays until `stop`, then what had arrived by then. Returns how many datagrams could not be sent
/// on.
pub(super) async fn run(
    socket: &UdpSocket,
    prefix: &Bytes,
    stop: &CancellationToken,
    terminal: Terminal,
) -> anyhow::Result<u64> {
    let mut batch = RecvBatch::new(DATAGRAMS_PER_CALL, RecvBatch::WHOLE);
    let mut peers = Peers::new(terminal);
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
