//! What the engine does where this machine, and not the target, is in the way.

use std::time::{Duration, Instant};

use super::slots::Slot;
use super::{Engine, EngineEvent, LocalError, ProbeId};
use crate::state::Reason;

/// How long a probe waits that found no descriptor, port or buffer.
const RESOURCE_PAUSE: Duration = Duration::from_millis(5);
/// How long the machine may be out of resources, with no probe of ours in flight to give some back,
/// before the engine gives up: a link may be away for some seconds, or its reader busy.
const RESOURCE_PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// A probe could not be sent or judged, by no fault of the target. Ignored for an attempt that is
    /// over.
    pub fn handle_local_error(&mut self, now: Instant, id: ProbeId, error: LocalError) {
        let waits = |slot: &mut Slot| slot.in_flight && slot.attempts == id.attempt();
        if !self.slots.find(id).is_some_and(waits) {
            return;
        }
        let Some(slot) = self.end_attempt(id) else { return };
        self.uncount_unsent(&slot, error);
        match error {
            LocalError::Resources => self.pause(now, id),
            LocalError::OwnSocket => {
                self.slots.remove(id);
                self.groups.end(slot.group);
                self.deferred.push(slot.index);
            }
            _ => self.conclude(id, error.reason(), None),
        }
    }

    /// After a lack of resources: each probe that ends makes room for one more.
    pub(super) fn widen(&mut self) {
        self.window = (self.window + 1).min(self.config.max_in_flight);
    }

    /// Whatever the error, this probe never left the machine; to a neighbour that never resolved,
    /// none of the earlier ones did.
    pub(super) fn uncount_unsent(&mut self, slot: &Slot, error: LocalError) {
        self.pacer.unsent();
        let unresolved = error == LocalError::NeighbourUnresolved;
        self.tally.sent -= if unresolved { u64::from(slot.attempts) } else { 1 };
    }

    /// The probe did not leave: not an attempt. The window shrinks to what the machine can hold.
    fn pause(&mut self, now: Instant, id: ProbeId) {
        if let Some(slot) = self.slots.find(id) {
            slot.attempts -= 1;
        }
        self.window = self.outstanding.max(1);
        if self.outstanding > 0 {
            self.starved_since = None;
        } else {
            let since = *self.starved_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= RESOURCE_PATIENCE {
                self.stalled = true;
                self.conclude(id, Reason::NoResources, None);
                self.events.push_back(EngineEvent::Stalled);
                return;
            }
        }
        self.paused.push_back((now + RESOURCE_PAUSE, id));
    }
}
