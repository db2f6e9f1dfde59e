//! How a client takes messages in, with a connection and without, and ends its sending.

use std::pin::pin;

use bytes::Bytes;

use super::ClientSendError;
use super::shared::{Place, Shared, State};

impl Shared {
    /// See [`TcpClient::send`](super::TcpClient::send).
    pub(crate) async fn send(&self, message: Bytes) -> Result<(), ClientSendError> {
        let limit = self.limits.bytes;
        if message.len() > limit {
            return Err(ClientSendError::TooLarge { len: message.len(), limit });
        }
        let mut moved = None;
        loop {
            match self.place(&message) {
                Place::Held => return Ok(()),
                Place::Nowhere => return Err(self.not_connected()),
                Place::Closed => return Err(self.closed_error()),
                Place::Link(link) => {
                    if link.send(&message).await {
                        return Ok(());
                    }
                    if self.is_final() {
                        return Err(self.closed_error());
                    }
                    if !self.keeps {
                        return Err(self.not_connected());
                    }
                    // The connection is lost, and what it kept goes first.
                }
                Place::Full => {}
            }
            // It is looked once more before it is waited: nothing that moves is missed so. In the
            // heap, as it is rare.
            if let Some(moved) = moved.take() {
                moved.await;
            } else {
                let mut notified = Box::pin(self.moved.notified());
                notified.as_mut().enable();
                moved = Some(notified);
            }
        }
    }

    /// See [`TcpClient::finish`](super::TcpClient::finish).
    pub(crate) async fn finish(&self) -> Result<(), ClientSendError> {
        let link = loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            match self.finish_standing() {
                State::Connected(link) => break link,
                State::Connecting if self.keeps && !self.is_final() => moved.await,
                State::Connecting => return Err(self.not_connected()),
                State::Closed => return Err(self.closed_error()),
            }
        };
        link.begin_finish();
        link.finished().await.map_err(|_| self.not_connected())
    }

    fn not_connected(&self) -> ClientSendError {
        ClientSendError::NotConnected { target: self.target.clone() }
    }

    fn closed_error(&self) -> ClientSendError {
        ClientSendError::Closed { target: self.target.clone() }
    }
}
