//! The queue of what one connection still has to send, bounded by bytes and by messages.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::AddAssign;

use bytes::{Buf, Bytes};

/// How many messages go to the kernel in one call. `writev` takes 1,024 (`IOV_MAX`); past a few
/// dozen the call's own cost no longer shows.
pub(crate) const GATHER: usize = 32;

/// The two bounds of an outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
}

/// What was accepted or offered, and never reached the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Loss {
    pub(crate) fn message(bytes: usize) -> Self {
        Self { messages: 1, bytes }
    }

    pub(crate) fn is_none(self) -> bool {
        self.messages == 0
    }
}

impl AddAssign for Loss {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// A message that a lost connection sent a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) sent: usize,
    pub(crate) unsent: usize,
}

/// Messages in the order in which they were accepted. The first one may be partly sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    messages: VecDeque<Bytes>,
    bytes: usize,
    /// How many bytes of the first message are sent.
    front_sent: usize,
    limits: QueueLimits,
}

impl Outbox {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, front_sent: 0, limits }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn limits(&self) -> QueueLimits {
        self.limits
    }

    /// Whether a message of this length finds room.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.messages.len() < self.limits.messages
            && self.bytes.saturating_add(len) <= self.limits.bytes
    }

    /// Takes a message in. The caller asked [`Outbox::fits`] first.
    pub(crate) fn push(&mut self, message: Bytes) {
        debug_assert!(!message.is_empty() && self.fits(message.len()));
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    /// Takes in what is left of a message of which `sent` bytes are sent already. Where these are
    /// any, it is no longer to be dropped whole.
    pub(crate) fn push_rest(&mut self, rest: Bytes, sent: usize) {
        debug_assert!(self.is_empty());
        self.front_sent = sent;
        self.push(rest);
    }

    /// The next bytes to send, from at most `messages` messages; says how many slices it filled.
    pub(crate) fn gather<'a>(
        &'a self,
        slices: &mut [IoSlice<'a>; GATHER],
        messages: usize,
    ) -> usize {
        let mut filled = 0;
        for (slice, message) in slices.iter_mut().zip(self.messages.iter().take(messages)) {
            *slice = IoSlice::new(message);
            filled += 1;
        }
        filled
    }

    /// Notes that the first `sent` bytes are out; gives away the messages that this completed, and
    /// says how many they are.
    pub(crate) fn advance(&mut self, mut sent: usize, mut spent: impl FnMut(Bytes)) -> usize {
        self.bytes -= sent;
        let mut completed = 0;
        while sent > 0
            && let Some(front) = self.messages.front_mut()
        {
            if sent < front.len() {
                front.advance(sent);
                self.front_sent += sent;
                break;
            }
            sent -= front.len();
            self.messages.pop_front().into_iter().for_each(&mut spent);
            self.front_sent = 0;
            completed += 1;
        }
        completed
    }

    /// Drops the oldest messages, never one that is partly sent, until one of `len` bytes fits;
    /// none where that would not do. Gives them away; returns the loss, and how many of the first
    /// `ahead` messages went.
    pub(crate) fn drop_oldest(
        &mut self,
        len: usize,
        ahead: usize,
        mut dropped: impl FnMut(Bytes),
    ) -> (Loss, usize) {
        let first = usize::from(self.front_sent > 0);
        let (mut loss, mut gone_ahead) = (Loss::default(), 0);
        let stays = self.messages.front().filter(|_| self.front_sent > 0).map_or(0, Bytes::len);
        if first >= self.limits.messages || stays.saturating_add(len) > self.limits.bytes {
            return (loss, gone_ahead);
        }
        while !self.fits(len)
            && let Some(message) = self.messages.remove(first)
        {
            self.bytes -= message.len();
            loss += Loss::message(message.len());
            gone_ahead += usize::from(first + gone_ahead < ahead);
            dropped(message);
        }
        (loss, gone_ahead)
    }

    /// Empties the queue; says how much was in it, and gives it away.
    pub(crate) fn clear(&mut self) -> (Loss, VecDeque<Bytes>) {
        let loss = Loss { messages: self.messages.len(), bytes: self.bytes };
        self.bytes = 0;
        self.front_sent = 0;
        (loss, std::mem::take(&mut self.messages))
    }

    /// The message of which a part is sent, if there is one.
    pub(crate) fn cut(&self) -> Option<Cut> {
        let front = self.messages.front().filter(|_| self.front_sent > 0)?;
        Some(Cut { sent: self.front_sent, unsent: front.len() })
    }

    /// Empties the queue into `kept`, but for a message of which a part is sent: the rest of that is
    /// lost, and given away.
    pub(crate) fn clear_into(&mut self, kept: &mut VecDeque<Bytes>) -> Option<Bytes> {
        let begun = if self.front_sent > 0 { self.messages.pop_front() } else { None };
        kept.append(&mut self.messages);
        self.bytes = 0;
        self.front_sent = 0;
        begun
    }

    /// Empties the queue, in which no message is begun, and gives what was in it.
    pub(crate) fn take(&mut self) -> VecDeque<Bytes> {
        let mut all = VecDeque::new();
        let begun = self.clear_into(&mut all);
        debug_assert!(begun.is_none());
        all
    }
}

#[cfg(test)]
mod tests;
