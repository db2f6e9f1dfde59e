//! The recorder of one socket, and its two halves.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ports_core::Transport;

use crate::block::{Block, InboundHandle, OutboundHandle, handles};
use crate::close_reason::CloseReason;
use crate::counters::Counters;
use crate::ends::Ends;
use crate::error_kind::ErrorKind;
use crate::history::{Action, Entry};
use crate::role::Role;
use crate::shared::{GroupIndex, Shared};

/// Records what one socket does. Made by [`SocketStats::open`](crate::SocketStats::open), which
/// counts the socket as open; [`close`](Recorder::close), or else dropping it, counts it as closed,
/// exactly once.
///
/// A transfer costs a few nanoseconds: the counters belong to this recorder alone, so that nothing
/// is locked and nothing is allocated.
#[must_use = "a socket counts as closed when its recorder is dropped"]
#[derive(Debug)]
pub struct Recorder {
    lanes: Option<(Inbound, Outbound)>,
    socket: OpenSocket,
}

impl Recorder {
    pub(crate) fn open(shared: Arc<Shared>, transport: Transport, role: Role, ends: Ends) -> Self {
        let group = GroupIndex::new(transport, role);
        let (time, opened) = (SystemTime::now(), Instant::now());
        let first = shared.open(group);
        shared.history.push(Entry { time, transport, role, ends, action: Action::Connect });
        let socket = OpenSocket {
            shared,
            group,
            transport,
            role,
            ends,
            opened,
            first: Arc::clone(&first),
            further: Vec::new(),
            reason: CloseReason::Dropped,
        };
        Self { lanes: Some(lanes(first)), socket }
    }

    /// Counts one message in, of so many bytes. Call it with what the read returned.
    #[inline]
    pub fn received(&mut self, bytes: usize) {
        self.lanes().0.received(bytes);
    }

    /// Counts one message out, of so many bytes. Call it with what the write took.
    #[inline]
    pub fn sent(&mut self, bytes: usize) {
        self.lanes().1.sent(bytes);
    }

    /// Counts messages that were accepted for sending and then given up.
    #[inline]
    pub fn dropped(&mut self, messages: u64, bytes: u64) {
        self.lanes().1.dropped(messages, bytes);
    }

    /// Counts an error of this socket.
    pub fn error(&self, kind: ErrorKind) {
        self.socket.shared.error(self.socket.group, kind);
    }

    /// Notes how long it took to connect.
    pub fn connected_in(&self, duration: Duration) {
        self.socket.shared.connected_in(self.socket.group, duration);
    }

    /// The halves for the task that reads and the task that writes; each is the only writer of its
    /// counters.
    ///
    /// This recorder still says when the socket closes and why. Should it also be told of transfers
    /// after a split (or be split again), it takes new counters, allocated at that call: all of
    /// them are this socket's.
    pub fn split(&mut self) -> (Inbound, Outbound) {
        match self.lanes.take() {
            Some(lanes) => lanes,
            None => self.socket.further_lanes(),
        }
    }

    /// Counts the socket as closed, for this reason, and enters it in the history with the bytes
    /// that all its halves counted so far. What a half records later still counts in the totals.
    pub fn close(mut self, reason: CloseReason) {
        self.socket.reason = reason;
    }

    /// The transport it was opened with.
    pub const fn transport(&self) -> Transport {
        self.socket.transport
    }

    /// The role it was opened with.
    pub const fn role(&self) -> Role {
        self.socket.role
    }

    /// The addresses it was opened with.
    pub const fn ends(&self) -> Ends {
        self.socket.ends
    }

    /// When it was opened.
    pub const fn opened_at(&self) -> Instant {
        self.socket.opened
    }

    /// Bytes received and sent so far, by this recorder and its halves.
    pub fn bytes(&self) -> (u64, u64) {
        let sums = self.socket.sums();
        (sums.bytes_received, sums.bytes_sent)
    }

    #[inline]
    fn lanes(&mut self) -> &mut (Inbound, Outbound) {
        let Self { lanes, socket } = self;
        lanes.get_or_insert_with(
            #[cold]
            || socket.further_lanes(),
        )
    }
}

/// The inbound half: what a socket's reading task records.
#[derive(Debug)]
pub struct Inbound(InboundHandle);

impl Inbound {
    /// Counts one message in, of so many bytes.
    #[inline]
    pub fn received(&mut self, bytes: usize) {
        self.0.received(bytes as u64);
    }

    /// Counts messages that the kernel dropped before they were read; it does not tell their bytes.
    #[inline]
    pub fn dropped(&mut self, messages: u64) {
        self.0.dropped(messages);
    }

    /// Counts bytes that came when nobody was to read them any more, and were thrown away.
    #[inline]
    pub fn discarded(&mut self, bytes: u64) {
        self.0.discarded(bytes);
    }

    /// Counts an error of the socket.
    pub fn error(&self, kind: ErrorKind) {
        self.0.shared.error(self.0.group, kind);
    }
}

/// The outbound half: what a socket's writing task records.
#[derive(Debug)]
pub struct Outbound(OutboundHandle);

impl Outbound {
    /// Counts one message out, of so many bytes.
    #[inline]
    pub fn sent(&mut self, bytes: usize) {
        self.0.sent(bytes as u64);
    }

    /// Counts messages that were accepted for sending and then given up.
    #[inline]
    pub fn dropped(&mut self, messages: u64, bytes: u64) {
        self.0.dropped(messages, bytes);
    }

    /// Counts an error of the socket.
    pub fn error(&self, kind: ErrorKind) {
        self.0.shared.error(self.0.group, kind);
    }
}

fn lanes(block: Arc<Block>) -> (Inbound, Outbound) {
    let (inbound, outbound) = handles(block);
    (Inbound(inbound), Outbound(outbound))
}

/// The part of a recorder that says when the socket ends; its drop is that end.
struct OpenSocket {
    shared: Arc<Shared>,
    group: GroupIndex,
    transport: Transport,
    role: Role,
    ends: Ends,
    opened: Instant,
    /// The blocks of this socket, to be read here and written through their handles.
    first: Arc<Block>,
    further: Vec<Arc<Block>>,
    reason: CloseReason,
}

impl OpenSocket {
    fn further_lanes(&mut self) -> (Inbound, Outbound) {
        let block = self.shared.add_block(self.group);
        self.further.push(Arc::clone(&block));
        lanes(block)
    }

    fn sums(&self) -> Counters {
        let mut sums = Counters::default();
        self.first.add_to(&mut sums);
        self.further.iter().for_each(|block| block.add_to(&mut sums));
        sums
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let (time, duration) = (SystemTime::now(), self.opened.elapsed());
        let sums = self.sums();
        self.shared.close(self.group, duration);
        self.shared.history.push(Entry {
            time,
            transport: self.transport,
            role: self.role,
            ends: self.ends,
            action: Action::Disconnect {
                reason: self.reason,
                duration,
                bytes_received: sums.bytes_received,
                bytes_sent: sums.bytes_sent,
            },
        });
    }
}

impl std::fmt::Debug for OpenSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSocket")
            .field("transport", &self.transport)
            .field("role", &self.role)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
