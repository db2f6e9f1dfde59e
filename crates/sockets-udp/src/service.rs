//! A small service: each datagram gets at most one answer.
//!
//! One question alone, as they mostly come, is answered by itself; where more have come meanwhile,
//! they are taken and answered in batches.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio_util::sync::CancellationToken;

use crate::batch::RecvBatch;
use crate::datagram::{Datagram, RecvError};
use crate::event::Event;
use crate::return_path::ReturnPath;
use crate::send::SendReport;
use crate::socket::{Cost, UdpSocket};

/// How many datagrams are taken from the kernel, and given to it, in one call. Each needs 64 KiB of
/// address space, of which only what datagrams fill is used.
const DATAGRAMS_PER_CALL: usize = 64;

/// How many datagrams that had arrived before [`UdpSocket::serve_until`] was told to stop are still
/// answered. Linux charges at least 768 bytes of receive buffer for each, so that this is more than
/// 6 MiB of buffer hold, and a flood cannot keep the service from ending.
pub const DRAIN_LIMIT: u64 = 8192;

/// How long answers may wait for room in the kernel's send buffer after a service was told to stop,
/// unless [`UdpSocket::serve_until_within`] says otherwise. Seldom one has to: a link that takes
/// nothing, or a neighbour that does not tell where it is.
pub const DRAIN_GRACE: Duration = Duration::from_secs(5);

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[non_exhaustive]
pub struct ServeReport {
    /// Datagrams received.
    pub received: u64,
    /// Answers sent.
    pub answered: u64,
    /// Answers that could not be sent, such as one that is longer than a datagram may be; each was an
    /// [`Event::Error`] and an [`Event::AnswerDropped`], and is counted as dropped in the statistics.
    pub failed: u64,
    /// Answers that still waited for room in the kernel's send buffer when the grace was over; each was
    /// an [`Event::AnswerDropped`], and is counted as dropped in the statistics.
    pub cut_off: u64,
}

/// Why a service ended though nobody ended it.
#[derive(Debug, thiserror::Error)]
#[error("the service ended: {} received, {} answered", report.received, report.answered)]
#[non_exhaustive]
pub struct ServeError {
    /// What it did until then.
    pub report: ServeReport,
    /// Why it could not go on.
    #[source]
    pub source: RecvError,
}

impl UdpSocket {
    /// Receives, and sends what `service` answers to whoever sent, until the socket is closed. An
    /// answer comes from the address that the question was sent to, [`Datagram::local`]. One that
    /// cannot be sent is counted as dropped and told ([`Event::AnswerDropped`]), and the service goes
    /// on. What has come meanwhile is received and answered in batches, in the order it came.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where receiving fails. Closing the socket is no error.
    ///
    /// # Cancel safety
    ///
    /// Dropped while answers wait for room in the kernel's send buffer, up to 66 of them are lost; at
    /// any other time nothing is. [`serve_until`](Self::serve_until) ends without that loss.
    pub async fn serve(&self, service: impl Service) -> Result<ServeReport, ServeError> {
        self.serve_until(service, &CancellationToken::new()).await
    }

    /// As [`serve`](Self::serve), until `stop` is cancelled or the socket is closed. The datagrams
    /// that the kernel holds by then, up to [`DRAIN_LIMIT`], are answered before it returns; answers
    /// wait for room in its send buffer for [`DRAIN_GRACE`] at most.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// As [`serve_until_within`](Self::serve_until_within).
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn serve_until(
        &self,
        service: impl Service,
        stop: &CancellationToken,
    ) -> Result<ServeReport, ServeError> {
        self.serve_until_within(service, stop, DRAIN_GRACE).await
    }

    /// As [`serve_until`](Self::serve_until), with another grace for all the answers that wait once
    /// `stop` is cancelled. Those that it is not enough for are given up: [`ServeReport::cut_off`].
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// Where an answer has to wait after `stop` was cancelled, in a tokio runtime that was built
    /// without time.
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn serve_until_within(
        &self,
        mut service: impl Service,
        stop: &CancellationToken,
        grace: Duration,
    ) -> Result<ServeReport, ServeError> {
        let mut report = ServeReport::default();
        // The clock is not looked at before an answer has to wait.
        let over = async {
            stop.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        let serving = Serving { socket: self, stop, batch: None, report: &mut report };
        match serving.run(&mut service, pin!(over)).await {
            Ok(()) | Err(RecvError::Closed { .. }) => Ok(report),
            Err(source) => Err(ServeError { report, source }),
        }
    }
}

/// A service at work.
struct Serving<'a> {
    socket: &'a UdpSocket,
    stop: &'a CancellationToken,
    /// Made when it is needed.
    batch: Option<RecvBatch>,
    report: &'a mut ServeReport,
}

/// What came in one go, and how much of it was answered.
enum Turn {
    Done { datagrams: u64 },
    CutOff,
}

impl Serving<'_> {
    async fn run(
        mut self,
        service: &mut impl Service,
        mut over: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), RecvError> {
        let (socket, stop) = (self.socket, self.stop);
        // What answers cost is paid for before the next datagram is taken: in between, whoever drops
        // the service would drop answers.
        let mut owed = Cost::PAID;
        let next = async |owed: Cost| {
            owed.pay().await;
            socket.recv().await
        };
        while let Some(first) = stop.run_until_cancelled(next(owed)).await {
            match self.answer(service, first?, over.as_mut()).await? {
                Turn::Done { datagrams } => owed = Cost::of(datagrams as usize),
                Turn::CutOff => return Ok(()),
            }
        }
        let mut left = DRAIN_LIMIT;
        while left > 0
            && let Some(first) = socket.try_recv()?
        {
            match self.answer(service, first, over.as_mut()).await? {
                Turn::Done { datagrams } => {
                    left = left.saturating_sub(datagrams);
                    Cost::of(datagrams as usize).pay().await;
                }
                Turn::CutOff => return Ok(()),
            }
        }
        Ok(())
    }

    /// Answers the first datagram, and with it those that came meanwhile.
    async fn answer(
        &mut self,
        service: &mut impl Service,
        first: Datagram,
        over: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Turn, RecvError> {
        let mut answer = |datagram: Datagram| {
            self.report.received += 1;
            Some((datagram.return_path(), service.answer(datagram)?))
        };
        let next = self.socket.try_recv();
        let Ok(Some(next)) = next else {
            let answer = answer(first);
            let turn = self.send(1, answer.as_slice(), over).await;
            return next.map(|_| turn);
        };
        let batch =
            self.batch.get_or_insert_with(|| RecvBatch::new(DATAGRAMS_PER_CALL, RecvBatch::WHOLE));
        // A socket that is closed by now leaves the batch as it was.
        batch.clear();
        let more = self.socket.try_recv_many(batch);
        let rest = batch.iter().map(|datagram| datagram.to_datagram());
        let answers: Vec<_> = [first, next].into_iter().chain(rest).filter_map(answer).collect();
        let received = 2 + batch.len() as u64;
        let turn = self.send(received, &answers, over).await;
        more.map(|_| turn)
    }

    /// Sends the answers to so many datagrams, or gives up those that still wait when it is `over`.
    async fn send(
        &mut self,
        datagrams: u64,
        answers: &[(ReturnPath, Bytes)],
        mut over: Pin<&mut impl Future<Output = ()>>,
    ) -> Turn {
        let mut sent = SendReport::default();
        let outgoing = |index: usize| {
            let (path, answer) = &answers[index];
            path.answer(answer)
        };
        let turn = {
            let socket = self.socket;
            let sending = socket.send_each(answers.len(), outgoing, |_| Cost::PAID, &mut sent);
            let mut sending = pin!(sending);
            // Not `select!`, which gives way before it begins.
            poll_fn(|context| match sending.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Turn::Done { datagrams }),
                Poll::Pending => over.as_mut().poll(context).map(|()| Turn::CutOff),
            })
            .await
        };
        self.report.answered += sent.sent as u64;
        self.report.failed += sent.failed.len() as u64;
        let done = sent.sent + sent.failed.len();
        for failed in &sent.failed {
            let (path, answer) = &answers[failed.index];
            tracing::debug!(peer = %path.peer(), error = %failed.error, "an answer was not sent");
            self.give_up(path, answer.len());
        }
        for (path, answer) in &answers[done..] {
            self.report.cut_off += 1;
            self.give_up(path, answer.len());
        }
        turn
    }

    fn give_up(&self, path: &ReturnPath, len: usize) {
        let target = path.peer();
        if let Some(open) = &*self.socket.open() {
            open.account.unsent(len);
            self.socket.inner.events.emit(|| Event::AnswerDropped { len, target });
        }
    }
}
