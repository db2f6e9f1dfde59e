//! A relay: what one client sends goes to all the others.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use tokio::sync::Notify;

use super::{Handler, HandlerError};
use crate::connection::Connection;

/// Sends each client's bytes to all the other clients of the server, never back to itself.
///
/// How it meets a client that does not read is the server's slow policy. When the server shuts
/// down, no client's stream is ended before the bytes of all clients have been relayed.
#[derive(Debug, Default)]
pub struct Relay {
    reading: AtomicUsize,
    all_read: Notify,
}

impl Relay {
    const BUFFER: usize = 64 * 1024;

    /// A relay.
    pub fn new() -> Self {
        Self::default()
    }

    async fn relay(&self, connection: &mut Connection) -> Result<(), HandlerError> {
        let _reading = Reading::begin(self);
        let mut buffer = BytesMut::zeroed(Self::BUFFER);
        loop {
            let read = connection.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            let message = bytes::Bytes::copy_from_slice(&buffer[..read]);
            connection.send_to_others(message).await;
        }
    }

    /// Until no client of this relay has anything left to read.
    async fn others_read(&self) {
        loop {
            let mut all_read = std::pin::pin!(self.all_read.notified());
            all_read.as_mut().enable();
            if self.reading.load(Ordering::Acquire) == 0 {
                return;
            }
            all_read.await;
        }
    }
}

impl Handler for Relay {
    async fn handle(&self, mut connection: Connection) -> Result<(), HandlerError> {
        self.relay(&mut connection).await?;
        if connection.shutdown_requested() {
            self.others_read().await;
        }
        Ok(())
    }
}

/// Counts a client that still reads.
struct Reading<'a>(&'a Relay);

impl<'a> Reading<'a> {
    fn begin(relay: &'a Relay) -> Self {
        relay.reading.fetch_add(1, Ordering::AcqRel);
        Self(relay)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.0.reading.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.all_read.notify_waiters();
        }
    }
}
