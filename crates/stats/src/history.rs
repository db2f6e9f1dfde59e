//! The latest connects and disconnects, in a bounded ring.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ports_core::Transport;
use serde::{Deserialize, Serialize};

use crate::close_reason::CloseReason;
use crate::ends::Ends;
use crate::print::upper;
use crate::role::Role;
use crate::timestamp::Timestamp;

/// One connect or disconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub time: SystemTime,
    /// The transport of the socket.
    pub transport: Transport,
    /// Its side.
    pub role: Role,
    /// Its addresses.
    pub ends: Ends,
    /// What happened.
    pub action: Action,
}

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// It was opened.
    Connect,
    /// It was closed.
    Disconnect {
        /// Why.
        reason: CloseReason,
        /// How long it was open.
        duration: Duration,
        /// Bytes that came in.
        bytes_received: u64,
        /// Bytes that went out.
        bytes_sent: u64,
    },
}

/// `[2026-01-31T12:00:00.000Z] TCP CONNECT server 127.0.0.1:80 <-> 127.0.0.1:50000`, and at the end
/// of a disconnect `(peer-closed, 18 B in, 24 B out, 0.532 s)`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Connect => "CONNECT",
            Action::Disconnect { .. } => "DISCONNECT",
        };
        let transport = upper(self.transport);
        let Self { time, role, ends, .. } = self;
        write!(f, "[{}] {transport} {action} {role} {ends}", Timestamp(*time))?;
        if let Action::Disconnect { reason, duration, bytes_received, bytes_sent } = self.action {
            let (seconds, milliseconds) = (duration.as_secs(), duration.subsec_millis());
            write!(f, " ({reason}, {bytes_received} B in, {bytes_sent} B out, ")?;
            write!(f, "{seconds}.{milliseconds:03} s)")?;
        }
        Ok(())
    }
}

/// A ring of the latest entries. Its memory is taken once; when it is full, a new entry takes the
/// place of the oldest, which is counted.
pub struct History {
    capacity: usize,
    ring: Mutex<Ring>,
}

struct Ring {
    entries: Vec<Entry>,
    /// Where the next entry goes once the ring is full; the oldest entry then.
    next: usize,
    overwritten: u64,
}

impl History {
    /// A ring of `capacity` entries. With 0, every entry counts as overwritten.
    ///
    /// # Panics
    ///
    /// Where that is more than the memory there is.
    pub fn new(capacity: usize) -> Self {
        let ring = Ring { entries: Vec::with_capacity(capacity), next: 0, overwritten: 0 };
        Self { capacity, ring: Mutex::new(ring) }
    }

    /// Adds an entry; allocates nothing.
    pub fn push(&self, entry: Entry) {
        let mut ring = self.ring();
        if ring.entries.len() < self.capacity {
            ring.entries.push(entry);
            return;
        }
        ring.overwritten += 1;
        let next = ring.next;
        if let Some(oldest) = ring.entries.get_mut(next) {
            *oldest = entry;
            ring.next = if next + 1 == self.capacity { 0 } else { next + 1 };
        }
    }

    /// The last `count` entries, or all there are, oldest first.
    pub fn last(&self, count: usize) -> Vec<Entry> {
        let mut last = Vec::with_capacity(count.min(self.capacity));
        let ring = self.ring();
        let (newer, older) = ring.entries.split_at(ring.next);
        let skipped = ring.entries.len().saturating_sub(count);
        last.extend(older.iter().chain(newer).skip(skipped));
        last
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.ring().entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries it can hold.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many entries later ones took the place of.
    pub fn overwritten(&self) -> u64 {
        self.ring().overwritten
    }

    /// Prints the last `count` entries, oldest first, under a title, and says if earlier ones were
    /// overwritten.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn print(&self, count: usize, out: &mut impl fmt::Write) -> fmt::Result {
        writeln!(out, "=== Connection History ===")?;
        // Copied first: a slow writer must not hold up the sockets.
        for entry in self.last(count) {
            writeln!(out, "{entry}")?;
        }
        match self.overwritten() {
            0 => Ok(()),
            1 => writeln!(out, "(1 earlier entry overwritten)"),
            more => writeln!(out, "({more} earlier entries overwritten)"),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing panics half way through a push, so a poisoned ring is still whole.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("capacity", &self.capacity)
            .field("len", &self.len())
            .field("overwritten", &self.overwritten())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
