//! The ports under way: one slot each, and the ids that name one attempt of one slot.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use slab::Slab;

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
    pub(super) group: u64,
    pub(super) target: SocketAddr,
    /// Attempts sent.
    pub(super) attempts: u32,
    pub(super) first_sent: Instant,
    /// When the last attempt was sent.
    pub(super) sent_at: Instant,
    /// Whether the last attempt is waited for.
    pub(super) in_flight: bool,
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

/// How many ports of each host group are under way.
#[derive(Debug, Default)]
pub(super) struct GroupsInFlight {
    ports: BTreeMap<u64, usize>,
}

impl GroupsInFlight {
    pub(super) fn start(&mut self, group: u64) {
        *self.ports.entry(group).or_default() += 1;
    }

    pub(super) fn end(&mut self, group: u64) {
        if let Some(ports) = self.ports.get_mut(&group) {
            *ports -= 1;
            if *ports == 0 {
                self.ports.remove(&group);
            }
        }
    }

    pub(super) fn oldest(&self) -> Option<u64> {
        self.ports.first_key_value().map(|(group, _)| *group)
    }
}
