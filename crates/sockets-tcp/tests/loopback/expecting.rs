//! Waiting for events and for bytes, which fails instead of hanging.

use std::time::Duration;

use sockets_tcp::{ClientId, CloseReason, Events, ServerEvent};
use tokio::io::AsyncReadExt;

/// Only there to turn a hang into a failure.
pub(crate) const HANG: Duration = Duration::from_mins(1);

/// The first event that `pick` takes.
pub(crate) async fn wait<E: Clone + Send + std::fmt::Debug + 'static, T>(
    events: &mut Events<E>,
    mut pick: impl FnMut(&E) -> Option<T>,
) -> T {
    tokio::time::timeout(HANG, async {
        loop {
            let event = events.recv().await.expect("the events end before the one waited for");
            assert_eq!(events.missed(), 0, "events missed");
            if let Some(picked) = pick(&event) {
                return picked;
            }
        }
    })
    .await
    .expect("the event never comes")
}

pub(crate) fn connected(event: &ServerEvent) -> Option<ClientId> {
    match event {
        ServerEvent::Connected { client, .. } => Some(*client),
        _ => None,
    }
}

pub(crate) fn disconnected(event: &ServerEvent) -> Option<CloseReason> {
    match event {
        ServerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    }
}

pub(crate) async fn read_exactly(stream: &mut (impl AsyncReadExt + Unpin), len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    tokio::time::timeout(HANG, stream.read_exact(&mut data)).await.unwrap().unwrap();
    data
}

pub(crate) async fn read_to_end(
    stream: &mut (impl AsyncReadExt + Unpin),
) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    tokio::time::timeout(HANG, stream.read_to_end(&mut data)).await.unwrap()?;
    Ok(data)
}

/// Bytes in which a swap, a loss or a repetition shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}
