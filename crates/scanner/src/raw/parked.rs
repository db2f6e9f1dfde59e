//! Probes that wait for their next hop to say who it is.

use std::collections::HashMap;

use super::neighbours::Hop;
use crate::engine::{Probe, ProbeId};

/// The probes that wait, by hop. As many at most as the engine has in flight.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// By [`ProbeId::index`]: the latest attempt.
    probes: HashMap<u32, (Hop, Probe)>,
    queues: HashMap<Hop, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: usize,
    /// Slots that wait, and some that did: those are not in [`Parked::probes`] any more.
    slots: Vec<u32>,
}

impl Parked {
    /// Keeps `probe` until [`Self::release`]; a probe of the same slot that waited is forgotten.
    pub(super) fn park(&mut self, hop: Hop, probe: Probe) {
        if let Some((_, before)) = self.probes.get(&probe.id.index()) {
            self.forget(before.id);
        }
        let queue = self.queues.entry(hop).or_default();
        queue.waiting += 1;
        queue.slots.push(probe.id.index());
        self.probes.insert(probe.id.index(), (hop, probe));
    }

    /// A probe that waited ran out of time.
    pub(super) fn forget(&mut self, id: ProbeId) {
        let Some((hop, probe)) = self.probes.get(&id.index()) else { return };
        if probe.id != id {
            return;
        }
        if let Some(queue) = self.queues.get_mut(hop) {
            queue.waiting -= 1;
            if queue.waiting == 0 {
                self.queues.remove(hop);
            }
        }
        self.probes.remove(&id.index());
    }

    /// The probes that waited for `hop`: it is known now, or given up.
    pub(super) fn release(&mut self, hop: Hop) -> Vec<Probe> {
        let slots = self.queues.remove(&hop).unwrap_or_default().slots;
        slots
            .into_iter()
            .filter_map(|slot| {
                self.probes.get(&slot).filter(|(waits_for, _)| *waits_for == hop)?;
                self.probes.remove(&slot).map(|(_, probe)| probe)
            })
            .collect()
    }
}
