//! The ports under way: one slot each, and the ids that name one attempt of one slot.

use std::net::SocketAddr;
use std::time::Instant;

use slab::Slab;

use super::groups::GroupKey;
use crate::plan::Place;
use crate::state::Reason;

/// Names one attempt at one port. An id of a port that has its verdict names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProbeId {
    index: u32,
    generation: u32,
    attempt: u32,
}

impl ProbeId {
    /// A small number, unique among the ports under way: fit to index a table.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Which attempt at the port, from 1.
    pub const fn attempt(self) -> u32 {
        self.attempt
    }
}

/// One port under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Its index in the plan.
    pub(super) index: u64,
    pub(super) group: GroupKey,
    /// Which host of the group.
    pub(super) host: u32,
    pub(super) target: SocketAddr,
    /// Attempts sent.
    pub(super) attempts: u32,
    /// How often the pace had turned out too fast when it was last asked, and how often it had been
    /// asked its question before that: those attempts count for nothing.
    pub(super) slowdowns: u32,
    pub(super) void: u32,
    /// When the first attempt was sent.
    pub(super) first_sent: Instant,
    /// When the last attempt was sent, and the one before.
    pub(super) sent_at: Instant,
    pub(super) sent_before: Instant,
    /// Whether the last attempt is waited for.
    pub(super) in_flight: bool,
    /// 0, or which of its waits this is: the last attempt has not left yet, see
    /// [`Engine::hold_for_neighbour`](super::Engine::hold_for_neighbour).
    pub(super) held: u16,
    /// Whether it is waited for as long as a last one is.
    pub(super) as_last: bool,
    /// What the network said of it that may be true of one path or one moment only.
    pub(super) soft: Option<Reason>,
}

impl Slot {
    /// A port that was not asked yet.
    pub(super) fn new(now: Instant, index: u64, group: GroupKey, place: &Place) -> Self {
        Self {
            index,
            group,
            host: place.host,
            target: place.target,
            attempts: 0,
            slowdowns: 0,
            void: 0,
            first_sent: now,
            sent_at: now,
            sent_before: now,
            in_flight: false,
            held: 0,
            as_last: false,
            soft: None,
        }
    }

    /// Whether the last attempt has not left yet.
    pub(super) const fn is_held(&self) -> bool {
        self.held > 0
    }

    /// The attempt of this number leaves.
    pub(super) fn begin_attempt(&mut self, now: Instant, attempt: u32) {
        if attempt > self.attempts {
            self.sent_before = self.sent_at;
        }
        self.attempts = attempt;
        self.sent_at = now;
        self.in_flight = true;
        if attempt == 1 {
            self.first_sent = now;
        }
    }

    /// When that attempt left, where it did and it is still known.
    pub(super) fn asked_at(&self, attempt: u32) -> Option<Instant> {
        match attempt {
            _ if attempt == self.attempts => Some(self.sent_at),
            1 => Some(self.first_sent),
            _ if attempt > 0 && attempt + 1 == self.attempts => Some(self.sent_before),
            _ => None,
        }
    }
}

/// The slots, by id. Each port has a generation of its own, so that an answer for an earlier port in
/// the same place is known as such.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slab: Slab<(u32, Slot)>,
    generation: u32,
}

impl Slots {
    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn insert(&mut self, slot: Slot) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.slab.insert((self.generation, slot)) as u32
    }

    pub(super) fn find(&mut self, id: ProbeId) -> Option<&mut Slot> {
        let (generation, slot) = self.slab.get_mut(id.index as usize)?;
        (*generation == id.generation).then_some(slot)
    }

    /// The id of `attempt` at the port in place `index`, and the port.
    pub(super) fn at(&self, index: u32, attempt: u32) -> Option<(ProbeId, &Slot)> {
        let (generation, slot) = self.slab.get(index as usize)?;
        Some((ProbeId { index, generation: *generation, attempt }, slot))
    }

    pub(super) fn remove(&mut self, id: ProbeId) -> Option<Slot> {
        self.find(id)?;
        Some(self.slab.remove(id.index as usize).1)
    }
}
