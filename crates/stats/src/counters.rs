//! What is counted per transport and role, as plain numbers.

use serde::{Deserialize, Serialize};

use crate::error_kind::{ErrorCounts, ErrorKind};

/// What is counted per transport and role. All but `active` only ever grow, and stay at the highest
/// number there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counters {
    /// Sockets open now.
    pub active: u64,
    /// Sockets opened so far.
    pub opened: u64,
    /// Sockets closed so far.
    pub closed: u64,
    /// Bytes that came in.
    pub bytes_received: u64,
    /// Bytes that went out.
    pub bytes_sent: u64,
    /// Reads that brought data, or datagrams in.
    pub messages_received: u64,
    /// Writes that took data, or datagrams out.
    pub messages_sent: u64,
    /// Messages that came in and that the kernel dropped before they were read. It does not tell their
    /// bytes.
    #[serde(default)]
    pub dropped_received: u64,
    /// Bytes that came in when nobody was to read them any more, and were thrown away. They are not in
    /// `bytes_received`.
    #[serde(default)]
    pub discarded_bytes: u64,
    /// Messages accepted for sending and then given up.
    pub dropped_messages: u64,
    /// Bytes accepted for sending and then given up.
    pub dropped_bytes: u64,
    /// Errors by kind.
    pub errors: ErrorCounts,
}

/// The counter that is smaller than it was, with both values.
pub(crate) type Shrunk = (&'static str, u64, u64);

impl Counters {
    /// Adds every field of `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        add(&mut self.active, other.active);
        for (own, added) in self.monotonic_mut().into_iter().zip(other.monotonic()) {
            add(own.1, added.1);
        }
        for &kind in ErrorKind::ALL {
            add(self.errors.count_mut(kind), other.errors.count(kind));
        }
    }

    /// What was added since `earlier`; `active` stays what it is here.
    pub(crate) fn since(&self, earlier: &Self) -> Result<Self, Shrunk> {
        let mut delta = *self;
        for ((name, value), (_, before)) in
            delta.monotonic_mut().into_iter().zip(earlier.monotonic())
        {
            *value = value.checked_sub(before).ok_or((name, before, *value))?;
        }
        for &kind in ErrorKind::ALL {
            let (now, before) = (self.errors.count(kind), earlier.errors.count(kind));
            *delta.errors.count_mut(kind) =
                now.checked_sub(before).ok_or((kind.name(), before, now))?;
        }
        Ok(delta)
    }

    fn monotonic(&self) -> [(&'static str, u64); 10] {
        let mut copy = *self;
        copy.monotonic_mut().map(|(name, value)| (name, *value))
    }

    fn monotonic_mut(&mut self) -> [(&'static str, &mut u64); 10] {
        [
            ("opened", &mut self.opened),
            ("closed", &mut self.closed),
            ("bytes_received", &mut self.bytes_received),
            ("bytes_sent", &mut self.bytes_sent),
            ("messages_received", &mut self.messages_received),
            ("messages_sent", &mut self.messages_sent),
            ("dropped_received", &mut self.dropped_received),
            ("discarded_bytes", &mut self.discarded_bytes),
            ("dropped_messages", &mut self.dropped_messages),
            ("dropped_bytes", &mut self.dropped_bytes),
        ]
    }
}
