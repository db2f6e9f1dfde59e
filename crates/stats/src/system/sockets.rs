//! The sockets of the machine: what is asked, and what is remembered between two questions.

use std::time::Duration;

use super::{Query, Snapshot, SnapshotError, backend};

/// The sockets of the machine.
///
/// Keeps its netlink socket, and which process holds what: a second snapshot reads the descriptors
/// of processes only where there are sockets that it has not seen. Blocks its thread; a snapshot of
/// 100,000 sockets takes some tens of milliseconds, with processes a few hundred.
#[derive(Debug)]
pub struct SystemSockets {
    pub(super) backend: backend::Backend,
}

impl SystemSockets {
    /// How long it is remembered which process holds a socket, unless
    /// [`recheck_after`](Self::recheck_after) says otherwise.
    pub const DEFAULT_RECHECK_AFTER: Duration = Duration::from_secs(10);

    /// Nothing is opened and nothing is read yet.
    pub fn new() -> Self {
        Self { backend: backend::Backend::new(Self::DEFAULT_RECHECK_AFTER) }
    }

    /// After this time the descriptors of all processes are read again. Until then a socket that a
    /// second process got hold of (`SCM_RIGHTS`) is shown with the first one only, and one that a
    /// living process has handed on is shown with that one. Zero reads all of them for every snapshot.
    ///
    /// New sockets, new processes, closed sockets and ended processes are seen at once, but for a new
    /// socket that changes hands while it is looked for: it is shown without a process once, and looked
    /// for in all processes at the next snapshot. One that is found in none then, too, is not looked for
    /// again before that time.
    #[must_use]
    pub const fn recheck_after(mut self, time: Duration) -> Self {
        self.backend.set_recheck_after(time);
        self
    }

    /// The sockets that `query` asks for. Sockets and processes that go away meanwhile are no error;
    /// what is known not to be seen is in the snapshot's [`Coverage`](super::Coverage). While sockets come
    /// and go, the kernel may leave out others: see [`snapshot_after`](Self::snapshot_after).
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn snapshot(&mut self, query: &Query) -> Result<Snapshot, SnapshotError> {
        self.backend.snapshot(query, None)
    }

    /// As [`snapshot`](Self::snapshot), with a second look for each socket of `earlier`, a snapshot of the
    /// same query, that the kernel does not tell of now. While sockets come and go it may leave out
    /// others, and does not say so; here those that were there before are not missing then. It costs some
    /// microseconds for each socket that is gone, and the time of another snapshot at most.
    ///
    /// Nothing is looked for again where some of the sockets are read from `/proc`.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn snapshot_after(
        &mut self,
        query: &Query,
        earlier: &Snapshot,
    ) -> Result<Snapshot, SnapshotError> {
        self.backend.snapshot(query, Some(earlier))
    }
}

impl Default for SystemSockets {
    fn default() -> Self {
        Self::new()
    }
}
