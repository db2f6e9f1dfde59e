//! The ports under way: one slot each, and the ids that name one attempt of one slot.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use slab::Slab;

/// Names one attempt at one port. An id of an attempt that is over names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProbeId {
    index: u32,
    generation: u32,
}

impl ProbeId {
    /// A small number, unique among the probes in flight: fit to index a table.
    pub const fn index(self) -> u32 {
        self.index
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
    pub(super) sent_at: Instant,
}

/// The slots, by id. Each change of attempt changes the generation, so that a late answer to an
/// earlier attempt is known as such.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slab: Slab<(u32, Slot)>,
    generation: u32,
}

impl Slots {
    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(super) fn insert(&mut self, slot: Slot) -> ProbeId {
        self.generation = self.generation.wrapping_add(1);
        let index = self.slab.insert((self.generation, slot));
        ProbeId { index: index as u32, generation: self.generation }
    }

    pub(super) fn find(&mut self, id: ProbeId) -> Option<&mut Slot> {
        let (generation, slot) = self.slab.get_mut(id.index as usize)?;
        (*generation == id.generation).then_some(slot)
    }

    /// The id of the current attempt at this place.
    pub(super) fn id_at(&self, index: u32) -> Option<ProbeId> {
        let (generation, _) = self.slab.get(index as usize)?;
        Some(ProbeId { index, generation: *generation })
    }

    /// Ends the attempt `id` and names the next one.
    pub(super) fn next_attempt(&mut self, id: ProbeId) -> Option<ProbeId> {
        self.find(id)?;
        self.generation = self.generation.wrapping_add(1);
        let (generation, _) = self.slab.get_mut(id.index as usize)?;
        *generation = self.generation;
        Some(ProbeId { index: id.index, generation: self.generation })
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
