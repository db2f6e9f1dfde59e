//! The entry point: opens recorders, takes snapshots.

use std::fmt;
use std::sync::Arc;

use ports_core::Transport;

use crate::ends::Ends;
use crate::error_kind::ErrorKind;
use crate::history::History;
use crate::recorder::Recorder;
use crate::role::Role;
use crate::shared::{GroupIndex, Shared};
use crate::snapshot::Snapshot;

/// The statistics of this process's sockets. Cheap to clone; all clones are one.
///
/// Memory: about 256 bytes for each open socket, the history's ring, and up to 60 KB for each
/// histogram in use (two for each transport and role). What can grow is bounded by the number of
/// sockets that are open.
#[derive(Clone)]
pub struct SocketStats {
    shared: Arc<Shared>,
}

impl SocketStats {
    /// Statistics with default settings.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Statistics with other settings.
    pub const fn builder() -> SocketStatsBuilder {
        SocketStatsBuilder { history: SocketStatsBuilder::DEFAULT_HISTORY }
    }

    /// Counts a socket as open and gives the recorder that belongs to it alone. `ends` are its
    /// addresses as the history shall show them: a [`FiveTuple`](ports_core::FiveTuple), a local
    /// address, or what [`Ends`] else is made from. Where a 5-tuple names another transport,
    /// `transport` holds.
    pub fn open(&self, transport: Transport, role: Role, ends: impl Into<Ends>) -> Recorder {
        Recorder::open(Arc::clone(&self.shared), transport, role, ends.into())
    }

    /// Counts an error that belongs to no open socket: `accept` failed, a connection was refused.
    pub fn error(&self, transport: Transport, role: Role, kind: ErrorKind) {
        self.shared.error(GroupIndex::new(transport, role), kind);
    }

    /// Counts messages that were accepted for sending and given up before a socket had them.
    pub fn dropped(&self, transport: Transport, role: Role, messages: u64, bytes: u64) {
        self.shared.dropped(GroupIndex::new(transport, role), messages, bytes);
    }

    /// All numbers at this moment.
    ///
    /// Each transfer, open and close that happened before the call is in it, once; what is recorded
    /// meanwhile may be in it or in the next. The counters of one snapshot are never below those of
    /// the one before. Opens and closes wait while it is taken, transfers do not.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// The latest connects and disconnects.
    pub fn history(&self) -> &History {
        &self.shared.history
    }

    /// Prints the last `count` entries of the history, oldest first, under a title.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn print_history(&self, count: usize, out: &mut impl fmt::Write) -> fmt::Result {
        self.history().print(count, out)
    }
}

impl Default for SocketStats {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SocketStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketStats").field("history", self.history()).finish_non_exhaustive()
    }
}

/// Settings of [`SocketStats`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct SocketStatsBuilder {
    history: usize,
}

impl SocketStatsBuilder {
    /// How many history entries are kept unless told otherwise: 512 connections from begin to end,
    /// in about 128 KB.
    pub const DEFAULT_HISTORY: usize = 1024;

    /// How many entries the history keeps; the memory is taken at once. With 0 there is no history,
    /// and every entry counts as overwritten.
    pub const fn history(mut self, capacity: usize) -> Self {
        self.history = capacity;
        self
    }

    /// The statistics.
    ///
    /// # Panics
    ///
    /// Where the history is more than the memory there is.
    pub fn build(self) -> SocketStats {
        SocketStats { shared: Arc::new(Shared::new(self.history)) }
    }
}

#[cfg(test)]
mod tests;
