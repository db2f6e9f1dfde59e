//! A small service: each datagram gets at most one answer.

use bytes::{BufMut, Bytes, BytesMut};
use tokio_util::sync::CancellationToken;

use crate::datagram::{Datagram, RecvError};
use crate::socket::UdpSocket;

/// How many datagrams that had arrived before [`UdpSocket::serve_until`] was told to stop are still
/// answered. Linux charges at least 768 bytes of receive buffer for each, so that this is more than
/// 6 MiB of buffer hold, and a flood cannot keep the service from ending.
pub const DRAIN_LIMIT: u64 = 8192;

/// Answers datagrams. Every `FnMut(Datagram) -> Option<Bytes>` is one.
pub trait Service {
    /// The answer to a datagram, or `None` for none.
    ///
    /// It is called on the task that serves and holds up the datagrams that follow: it should not
    /// block.
    fn answer(&mut self, datagram: Datagram) -> Option<Bytes>;
}

impl<F: FnMut(Datagram) -> Option<Bytes>> Service for F {
    fn answer(&mut self, datagram: Datagram) -> Option<Bytes> {
        self(datagram)
    }
}

/// Sends each datagram back, behind a prefix if it has one (RFC 862).
///
/// The bytes go back as they came; the prefix stands once before each datagram. An echo answers
/// whoever the datagram says it is from, another echo service included: offer it on loopback or a
/// trusted network only.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    prefix: Bytes,
}

impl Echo {
    /// An echo without a prefix.
    pub const fn new() -> Self {
        Self { prefix: Bytes::new() }
    }

    /// These bytes before each answer.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Bytes>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl Service for Echo {
    fn answer(&mut self, datagram: Datagram) -> Option<Bytes> {
        if self.prefix.is_empty() {
            return Some(datagram.data);
        }
        let mut answer = BytesMut::with_capacity(self.prefix.len() + datagram.data.len());
        answer.put_slice(&self.prefix);
        answer.put_slice(&datagram.data);
        Some(answer.freeze())
    }
}

/// Answers nothing (RFC 863).
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Service for Discard {
    fn answer(&mut self, _: Datagram) -> Option<Bytes> {
        None
    }
}

/// What a service did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeReport {
    /// Datagrams received.
    pub received: u64,
    /// Answers sent.
    pub answered: u64,
    /// Answers that could not be sent; each was an [`Event::Error`](crate::Event::Error), too.
    pub failed: u64,
}

impl UdpSocket {
    /// Receives, and sends what `service` answers to whoever sent, until the socket is closed. An
    /// answer comes from the address that the question was sent to, [`Datagram::local`]. One that
    /// cannot be sent is counted, and the service goes on.
    ///
    /// # Errors
    ///
    /// [`RecvError::Io`] where receiving fails. Closing the socket is no error.
    ///
    /// # Cancel safety
    ///
    /// Dropped while an answer waits for room in the kernel's send buffer, that answer is lost; at any
    /// other time nothing is. [`serve_until`](Self::serve_until) ends without that loss.
    pub async fn serve(&self, service: impl Service) -> Result<ServeReport, RecvError> {
        self.serve_until(service, &CancellationToken::new()).await
    }

    /// As [`serve`](Self::serve), until `stop` is cancelled or the socket is closed. The datagrams
    /// that the kernel holds by then, up to [`DRAIN_LIMIT`], are answered before it returns.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn serve_until(
        &self,
        mut service: impl Service,
        stop: &CancellationToken,
    ) -> Result<ServeReport, RecvError> {
        let mut report = ServeReport::default();
        let outcome = self.serve_all(&mut service, stop, &mut report).await;
        match outcome {
            Ok(()) | Err(RecvError::Closed { .. }) => Ok(report),
            Err(error) => Err(error),
        }
    }

    async fn serve_all(
        &self,
        service: &mut impl Service,
        stop: &CancellationToken,
        report: &mut ServeReport,
    ) -> Result<(), RecvError> {
        while let Some(received) = stop.run_until_cancelled(self.recv()).await {
            self.answer(service, received?, report).await;
        }
        for _ in 0..DRAIN_LIMIT {
            let Some(datagram) = self.try_recv()? else { break };
            self.answer(service, datagram, report).await;
        }
        Ok(())
    }

    async fn answer(
        &self,
        service: &mut impl Service,
        datagram: Datagram,
        report: &mut ServeReport,
    ) {
        report.received += 1;
        let path = datagram.return_path();
        let Some(answer) = service.answer(datagram) else { return };
        match self.send_back(&answer, &path).await {
            Ok(()) => report.answered += 1,
            Err(error) => {
                report.failed += 1;
                tracing::debug!(peer = %path.peer(), %error, "an answer was not sent");
            }
        }
    }
}
