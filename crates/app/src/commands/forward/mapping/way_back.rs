//! What the target says, on its way to the client, until the mapping is over.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ports_core::Transport;
use sockets_udp::{
    DRAIN_LIMIT, Datagram, Event, Events, RecvBatch, RecvError, SendError, UdpSocket,
};
use stats::{Role, SocketStats};
use tokio::sync::Mutex;
use tokio::time::sleep_until;

use super::super::ledger::Loss;
use super::super::said::Said;
use super::{Ending, Mapping};
use crate::commands::conversation::telling::Teller;
use crate::commands::conversation::unreachable::Unreachable;
use crate::output::EventLine;

/// How many datagrams are taken from the kernel, and given to it, in one call.
const DATAGRAMS_PER_CALL: usize = 64;
/// How many clients of one listening socket may be answered at the same time; the others wait for
/// their turn. Each needs 4 MiB of address space, of which only what datagrams fill is used.
const LANES: usize = 4;

/// Buffers for the answers to the clients of one listening socket.
pub(in super::super) struct Lanes([Mutex<RecvBatch>; LANES]);

impl Lanes {
    pub(in super::super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(new_batch())))
    }

    /// All of them: nobody is answered by more than one datagram meanwhile.
    #[cfg(test)]
    pub(in super::super) async fn block(&self) -> Vec<tokio::sync::MutexGuard<'_, RecvBatch>> {
        let mut held = Vec::new();
        for lane in &self.0 {
            held.push(lane.lock().await);
        }
        held
    }
}

/// Room for whole datagrams.
pub(in super::super) fn new_batch() -> RecvBatch {
    RecvBatch::new(DATAGRAMS_PER_CALL, RecvBatch::WHOLE)
}

/// The way back to the clients of one listening socket.
#[derive(Clone)]
pub(in super::super) struct WayBack {
    pub(in super::super) listener: UdpSocket,
    pub(in super::super) lanes: Arc<Lanes>,
    pub(in super::super) idle: Duration,
    pub(in super::super) teller: Teller,
    pub(in super::super) said: Arc<Said>,
    pub(in super::super) stats: SocketStats,
}

impl Mapping {
    /// The way back, until the mapping is over; what had come by then still goes. What fails on the
    /// way there is told, that nobody is there once.
    pub(in super::super) async fn to_client(&self, way: &WayBack, mut events: Events) {
        let mut silence = std::pin::pin!(sleep_until(self.last() + way.idle));
        loop {
            tokio::select! {
                () = self.over.cancelled() => break,
                () = &mut silence => {
                    if self.end_if_silent(way.idle) {
                        break;
                    }
                    silence.as_mut().reset(self.last() + way.idle);
                }
                first = self.socket.recv() => {
                    self.touch();
                    if let Err(error) = self.send_back(first, way).await {
                        let error = format!("{:#}", anyhow::Error::from(error));
                        way.teller.tell(self.error("receive", error));
                        self.end(Ending::Failed);
                        break;
                    }
                }
                Some(event) = events.recv() => self.tell(&event, way),
            }
        }
        let mut left = DRAIN_LIMIT;
        while left > 0
            && let Ok(Some(last)) = self.socket.try_recv()
        {
            let Ok(sent) = self.send_back(Ok(last), way).await else { break };
            left = left.saturating_sub(sent);
        }
        self.socket.close();
        // The last one is that it is closed.
        while let Some(event) = events.recv().await {
            self.tell(&event, way);
        }
        self.close(&way.teller);
    }

    /// Closes its socket, if it is open, and tells what the kernel dropped, and what could not be sent
    /// back, and is not told yet.
    pub(in super::super) fn close(&self, teller: &Teller) {
        self.socket.close();
        let dropped = self.socket.kernel_drops() - self.drops_told.load(Relaxed);
        if dropped > 0 {
            self.tell_dropped(dropped, teller);
        }
        self.tell_unsent(teller);
    }

    /// What its socket tells, and nobody is told by a call. Of what is missed, further messages that nobody
    /// is there are counted by the statistics, and drops are told at the end.
    fn tell(&self, event: &Event, way: &WayBack) {
        match *event {
            Event::PeerUnreachable { kind, .. } => self.tell_unreachable(kind, way),
            Event::Dropped { datagrams } => self.tell_dropped(datagrams.into(), &way.teller),
            _ => {}
        }
    }

    fn tell_dropped(&self, messages: u64, teller: &Teller) {
        self.drops_told.fetch_add(messages, Relaxed);
        teller.tell(EventLine::Dropped { client: Some(self.number), messages, bytes: None });
    }

    /// The first time.
    fn tell_unreachable(&self, kind: ErrorKind, way: &WayBack) {
        if !self.is_unreachable.swap(true, Relaxed) {
            let peer = Some(self.target);
            self.tell_target_fails(Unreachable { peer, kind }.in_words(), way);
        }
    }

    pub(super) fn tell_not_forwarded(&self, error: SendError, way: &WayBack) {
        self.tell_target_fails(format!("{:#}", anyhow::Error::from(error)), way);
    }

    /// With `-v` of each client; otherwise the user is not to read of each what is true of all.
    fn tell_target_fails(&self, error: String, way: &WayBack) {
        if !way.teller.is_verbose() {
            way.said.say(&error);
        }
        way.teller.tell(self.error("send", error));
    }

    /// Sends back the first answer, and with it those that came meanwhile; how many.
    async fn send_back(
        &self,
        first: Result<Datagram, RecvError>,
        way: &WayBack,
    ) -> Result<u64, RecvError> {
        let WayBack { listener, lanes, .. } = way;
        let first = first?;
        if self.unsent().is_for_good {
            self.note_unsent(&first.data, way);
            return Ok(1);
        }
        let next = self.socket.try_recv();
        let Ok(Some(next)) = next else {
            self.hold(Loss { messages: 1, bytes: first.data.len() as u64 });
            match listener.send_back(&first.data, &self.path).await {
                Ok(()) => _ = self.bytes_out.fetch_add(first.data.len() as u64, Relaxed),
                Err(error) => self.tell_not_sent_back(error, &first.data, way),
            }
            self.hold(Loss::default());
            return next.map(|_| 1);
        };
        self.hold(Loss { messages: 2, bytes: (first.data.len() + next.data.len()) as u64 });
        let mut batch = lanes.0[self.number as usize % LANES].lock().await;
        // What is in it is somebody else's.
        batch.clear();
        let more = self.socket.try_recv_many(&mut batch);
        let answers: Vec<_> = [&first.data[..], &next.data]
            .into_iter()
            .chain(batch.iter().map(|more| more.data))
            .map(|data| self.path.answer(data))
            .collect();
        let bytes: usize = answers.iter().map(|answer| answer.data().len()).sum();
        self.hold(Loss { messages: answers.len() as u64, bytes: bytes as u64 });
        let report = listener.send_many(&answers).await;
        let mut unsent = 0;
        for failed in report.failed {
            let data = answers[failed.index].data();
            unsent += data.len();
            self.tell_not_sent_back(failed.error, data, way);
        }
        self.bytes_out.fetch_add((bytes - unsent) as u64, Relaxed);
        self.hold(Loss::default());
        more.map(|more| 2 + more as u64)
    }

    /// The listening socket's events do not say whose answer it was. Each reason is told once in a row:
    /// the rest is counted.
    fn tell_not_sent_back(&self, error: SendError, data: &[u8], way: &WayBack) {
        let is_closed = matches!(error, SendError::Closed { .. });
        if !is_closed {
            self.note_unsent(data, way);
        }
        // A datagram without a source port asks for no answer (RFC 768).
        let is_for_good = matches!(error, SendError::PortZero { .. });
        let error = format!("{:#}", anyhow::Error::from(error));
        let mut unsent = self.unsent();
        unsent.is_for_good |= is_for_good;
        if unsent.why != error {
            unsent.why.clone_from(&error);
            way.teller.tell(self.error("send", error));
        }
    }

    /// It is counted now, and told at the end.
    fn note_unsent(&self, data: &[u8], way: &WayBack) {
        let mut unsent = self.unsent();
        unsent.loss.messages += 1;
        unsent.loss.bytes += data.len() as u64;
        way.stats.dropped(Transport::Udp, Role::Peer, 1, data.len() as u64);
    }

    fn tell_unsent(&self, teller: &Teller) {
        let Loss { messages, bytes } = std::mem::take(&mut self.unsent().loss);
        if messages > 0 {
            let (client, bytes) = (Some(self.number), Some(bytes));
            teller.tell(EventLine::Dropped { client, messages, bytes });
        }
    }

    fn error(&self, operation: &'static str, error: String) -> EventLine {
        EventLine::Error { client: Some(self.number), operation, error }
    }
}
