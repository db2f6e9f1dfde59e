//! Sending and receiving many datagrams at once.

use std::io;
use std::net::SocketAddr;

use crate::batch::RecvBatch;
use crate::datagram::RecvError;
use crate::incoming::Ask;
use crate::open_socket::{Blame, OpenSocket, blame};
use crate::outgoing::{MESSAGES_PER_CALL, Message};
use crate::path::Path;
use crate::registered::Registered;
use crate::send::{FailedSend, Outgoing, SendError, SendReport};
use crate::socket::{Cost, Stopped, UdpSocket};

impl UdpSocket {
    /// Receives what the kernel holds, as many datagrams as the batch has buffers for, in one
    /// system call and without allocating; what the batch held is gone. Waits until there is at least
    /// one, and returns how many there are.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: datagrams are taken from the kernel only when this returns.
    pub async fn recv_many(&self, batch: &mut RecvBatch) -> Result<usize, RecvError> {
        let events = &self.inner.events;
        // How many will come is not known: those of the last time are paid for.
        let cost = Cost::of(batch.len());
        self.receive(cost, |open| open.receive_many(Ask::WhenReady, batch, events)).await
    }

    /// As [`recv_many`](Self::recv_many), of what the kernel holds now; 0 where that is nothing.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv_many(&self, batch: &mut RecvBatch) -> Result<usize, RecvError> {
        let receive = |open: &OpenSocket| open.receive_many(Ask::AtOnce, batch, &self.inner.events);
        Ok(self.receive_now(receive)?.unwrap_or(0))
    }

    /// Sends datagrams, each to its own target, in few system calls. One that cannot be sent does not
    /// keep the others from being sent. Waits while the kernel's send buffer is full.
    ///
    /// The report accounts for each: sent, or failed with its error, as by
    /// [`send_to`](Self::send_to).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if it is dropped before it is ready, an unknown number was sent, from the
    /// first on; the statistics and the events have them.
    pub async fn send_many(&self, datagrams: &[Outgoing<'_>]) -> SendReport {
        let mut report = SendReport::default();
        self.send_each(datagrams.len(), |index| datagrams[index], Cost::of, &mut report).await;
        report
    }

    /// Sends one payload to each of the peers, in few system calls and without copying it. One that
    /// cannot be reached does not keep the others from getting it.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe, as [`send_many`](Self::send_many).
    pub async fn send_to_each(&self, peers: &[SocketAddr], data: &[u8]) -> SendReport {
        let mut report = SendReport::default();
        let outgoing = |index: usize| Outgoing::new(data, peers[index]);
        self.send_each(peers.len(), outgoing, Cost::of, &mut report).await;
        report
    }

    /// Sends `count` datagrams; what the report has is done, also where this is dropped.
    pub(crate) async fn send_each<'a>(
        &self,
        count: usize,
        outgoing: impl Fn(usize) -> Outgoing<'a>,
        cost: impl Fn(usize) -> Cost,
        report: &mut SendReport,
    ) {
        let mut next = 0;
        while next < count {
            let run = (next..count)
                .take(MESSAGES_PER_CALL)
                .map_while(|index| self.check(&outgoing(index)).ok());
            let mut unclear = None;
            let most = MESSAGES_PER_CALL.min(count - next);
            match self.send_run(cost(most), run).await {
                Ok(taken) => {
                    next += taken;
                    report.sent += taken;
                    if taken > 0 {
                        continue;
                    }
                }
                Err(Stopped::Closed) => {}
                // Of the first datagram, or of one before: it is sent by itself to learn which.
                Err(Stopped::Failed(error)) => unclear = self.note_earlier(&error),
            }
            match self.send_reported(&outgoing(next), unclear, cost(1)).await {
                Ok(()) => report.sent += 1,
                Err(error) => report.failed.push(FailedSend { index: next, error }),
            }
            next += 1;
        }
    }

    /// Gives the first messages to the kernel, in one call, when it has room; how many it took.
    pub(crate) async fn send_run<'a>(
        &self,
        cost: Cost,
        messages: impl Iterator<Item = Message<'a>> + Clone,
    ) -> Result<usize, Stopped> {
        if messages.clone().next().is_none() {
            return Ok(0);
        }
        let inner = &*self.inner;
        self.drive(cost, &inner.writable, Registered::poll_send_ready, |open| {
            open.send_run(messages.clone(), &inner.events)
        })
        .await
    }

    /// Tells an error of an earlier datagram that came with a batch; what may be one and is not
    /// certain is returned.
    pub(crate) fn note_earlier(&self, error: &io::Error) -> Option<io::ErrorKind> {
        match blame(error) {
            Blame::Peer => {
                if let Some(open) = &*self.open() {
                    open.note_peer_error(error.kind(), &self.inner.events);
                }
                None
            }
            Blame::Unclear => Some(error.kind()),
            Blame::Nobody | Blame::Us => None,
        }
    }

    /// What the kernel is to be asked for, or why it need not be asked.
    pub(crate) fn check<'a>(&self, outgoing: &Outgoing<'a>) -> Result<Message<'a>, SendError> {
        let inner = &*self.inner;
        let (size, target) = (outgoing.data.len(), outgoing.target);
        let kernel_target = inner.family.check_target(size, target, inner.local)?;
        if let Some(from) = outgoing.from
            && from.to_canonical().is_ipv4() != kernel_target.ip().to_canonical().is_ipv4()
        {
            let local = SocketAddr::new(from, inner.local.port());
            return Err(SendError::FamilyMismatch { target, local });
        }
        if outgoing.is_broadcast() && !inner.broadcast {
            return Err(SendError::BroadcastNotEnabled { target });
        }
        let mut control = outgoing.control();
        if let Some(source) = inner.multicast_source {
            source.complete(&mut control, target);
        }
        Ok(Message { data: outgoing.data, target, kernel_target, control })
    }

    pub(crate) async fn send_reported(
        &self,
        outgoing: &Outgoing<'_>,
        unclear: Option<io::ErrorKind>,
        cost: Cost,
    ) -> Result<(), SendError> {
        let result = self.send_unreported(outgoing, unclear, cost).await;
        if let Err(error) = &result {
            self.report_send_error(error);
        }
        result
    }

    async fn send_unreported(
        &self,
        outgoing: &Outgoing<'_>,
        mut unclear: Option<io::ErrorKind>,
        cost: Cost,
    ) -> Result<(), SendError> {
        let inner = &*self.inner;
        let target = outgoing.target;
        let message = match self.check(outgoing) {
            Err(_) if self.is_closed() => return Err(SendError::Closed { target }),
            checked => checked?,
        };
        self.drive(cost, &inner.writable, Registered::poll_send_ready, |open| {
            open.send(&message, &mut unclear, &inner.events)
        })
        .await
        .map_err(|stopped| match stopped {
            Stopped::Closed => SendError::Closed { target },
            Stopped::Failed(source) => self.send_error(source, &message),
        })
    }

    /// The error of a message that the kernel refused. What it takes other sockets to find out is
    /// found out after this one is let go.
    pub(crate) fn send_error(&self, source: io::Error, message: &Message<'_>) -> SendError {
        let inner = &*self.inner;
        SendError::from_kernel(source, message).explained(message, inner.broadcast, || {
            let open = self.open();
            Path::of(&open.as_ref()?.socket, message, inner.local, inner.group_link)
        })
    }
}
