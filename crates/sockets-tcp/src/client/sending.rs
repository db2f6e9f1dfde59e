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
        if let State::Connected(link) = self.state()
            && link.send(&message).await
        {
            return Ok(());
        }
        loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            match self.place(&message) {
                Place::Held => return Ok(()),
                Place::Full => moved.await,
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
                    moved.await;
                }
            }
        }
    }

    /// See [`TcpClient::finish`](super::TcpClient::finish).
    pub(crate) async fn finish(&self) -> Result<(), ClientSendError> {
        let link = loop {
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            match self.state() {
                State::Connected(link) => break link,
                State::Connecting if self.keeps && !self.is_final() => moved.await,
                State::Connecting => return Err(self.not_connected()),
                State::Closed => return Err(self.closed_error()),
            }
        };
        self.set_finished();
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
