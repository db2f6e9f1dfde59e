//! A small service: each datagram gets at most one answer.
//!
//! One question alone, as they mostly come, is answered by itself; where more have come meanwhile,
//! they are taken and answered in batches.

use bytes::{BufMut, Bytes, BytesMut};
use tokio_util::sync::CancellationToken;

use crate::batch::RecvBatch;
use crate::datagram::{Datagram, RecvError};
use crate::event::Event;
use crate::return_path::ReturnPath;
use crate::send::{Outgoing, SendError};
use crate::socket::UdpSocket;

/// How many datagrams are taken from the kernel, and given to it, in one call. Each needs 64 KiB of
/// address space, of which only what datagrams fill is used.
const DATAGRAMS_PER_CALL: usize = 64;

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
    /// Answers that could not be sent, such as one that is longer than a datagram may be; each was an
    /// [`Event::Error`] and an [`Event::AnswerDropped`], and is counted as dropped in the statistics.
    pub failed: u64,
}

impl UdpSocket {
    /// Receives, and sends what `service` answers to whoever sent, until the socket is closed. An
    /// answer comes from the address that the question was sent to, [`Datagram::local`]. One that
    /// cannot be sent is counted as dropped and told ([`Event::AnswerDropped`]), and the service goes
    /// on. What has come meanwhile is received and answered in batches, in the order it came.
    ///
    /// # Errors
    ///
    /// [`RecvError::Io`] where receiving fails. Closing the socket is no error.
    ///
    /// # Cancel safety
    ///
    /// Dropped while answers wait for room in the kernel's send buffer, up to 66 of them are lost; at
    /// any other time nothing is. [`serve_until`](Self::serve_until) ends without that loss.
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
        // Made when it is needed.
        let mut batch = None;
        while let Some(first) = stop.run_until_cancelled(self.recv()).await {
            self.answer(service, first?, &mut batch, report).await?;
        }
        let mut left = DRAIN_LIMIT;
        while left > 0
            && let Some(first) = self.try_recv()?
        {
            left = left.saturating_sub(self.answer(service, first, &mut batch, report).await?);
        }
        Ok(())
    }

    /// Answers the first datagram, and with it those that came meanwhile; how many.
    async fn answer(
        &self,
        service: &mut impl Service,
        first: Datagram,
        batch: &mut Option<RecvBatch>,
        report: &mut ServeReport,
    ) -> Result<u64, RecvError> {
        let next = self.try_recv();
        let Ok(Some(next)) = next else {
            self.answer_one(service, first, report).await;
            return next.map(|_| 1);
        };
        let batch =
            batch.get_or_insert_with(|| RecvBatch::new(DATAGRAMS_PER_CALL, RecvBatch::WHOLE));
        // A socket that is closed by now leaves the batch as it was.
        batch.clear();
        let more = self.try_recv_many(batch);
        let answers: Vec<_> = [first, next]
            .into_iter()
            .chain(batch.iter().map(|datagram| datagram.to_datagram()))
            .filter_map(|datagram| Some((datagram.return_path(), service.answer(datagram)?)))
            .collect();
        let received = 2 + batch.len() as u64;
        report.received += received;
        let outgoing: Vec<Outgoing<'_>> =
            answers.iter().map(|(path, answer)| path.answer(answer)).collect();
        let sent = self.send_many(&outgoing).await;
        report.answered += sent.sent as u64;
        for failed in sent.failed {
            let (path, answer) = &answers[failed.index];
            self.give_up(path, answer.len(), &failed.error, report);
        }
        more.map(|_| received)
    }

    async fn answer_one(
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
            Err(error) => self.give_up(&path, answer.len(), &error, report),
        }
    }

    fn give_up(&self, path: &ReturnPath, len: usize, error: &SendError, report: &mut ServeReport) {
        let target = path.peer();
        report.failed += 1;
        tracing::debug!(peer = %target, %error, "an answer was not sent");
        if let Some(open) = &*self.open() {
            open.account.unsent(len);
            self.inner.events.emit(|| Event::AnswerDropped { len, target });
        }
    }
}
