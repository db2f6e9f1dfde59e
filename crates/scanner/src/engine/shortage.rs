//! What the engine does where this machine, and not the target, is in the way.

use std::time::{Duration, Instant};

use super::slots::Slot;
use super::{Engine, EngineEvent, LocalError, ProbeId};

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
            LocalError::Resources | LocalError::Buffers => return self.pause(now, id, error),
            LocalError::OwnSocket => {
                self.slots.remove(id);
                self.groups.end(slot.group);
                self.deferred.push(slot.index);
            }
            _ => self.conclude(id, error.reason(), None),
        }
        // Whatever was found of it, it was found: the scan goes on.
        self.starved_since = None;
    }

    /// After a lack of resources: each probe that ends makes room for one more.
    pub(super) fn widen(&mut self) {
        self.window = self.window.saturating_add(1).min(self.config.max_in_flight);
    }

    /// Whatever the error, this probe never left the machine; to a neighbour that never resolved,
    /// none of the earlier ones did. One that is held back was not counted.
    pub(super) fn uncount_unsent(&mut self, slot: &Slot, error: LocalError) {
        let held = u32::from(slot.is_held());
        if held == 0 {
            self.pacer.unsent();
        }
        let unresolved = error == LocalError::NeighbourUnresolved;
        self.tally.sent -= u64::from(if unresolved { slot.attempts } else { 1 } - held);
    }

    /// The probe did not leave: not an attempt. The window shrinks to what the machine can hold.
    fn pause(&mut self, now: Instant, id: ProbeId, error: LocalError) {
        if let Some(slot) = self.slots.find(id) {
            slot.attempts -= 1;
            slot.held = 0;
        }
        self.window = self.outstanding.max(1);
        if self.outstanding > 0 {
            self.starved_since = None;
        } else {
            let since = *self.starved_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= RESOURCE_PATIENCE {
                self.stalled = true;
                self.conclude(id, error.reason(), None);
                self.events.push_back(EngineEvent::Stalled);
                return;
            }
        }
        self.paused.push_back((now + RESOURCE_PAUSE, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineConfig;
    use crate::plan::ScanPlan;
    use crate::state::Reason;
    use crate::target::AddressSet;

    fn engine(now: Instant) -> Engine {
        let address = AddressSet::from(std::net::IpAddr::from([192, 0, 2, 1]));
        let ports = "80-90".parse().unwrap();
        let plan = ScanPlan::new(&address, &ports, ports_core::Transport::Tcp, 0).unwrap();
        let mut engine = Engine::new(now, plan.into(), EngineConfig::default());
        engine.add_work(0..11);
        engine
    }

    fn refuse(engine: &mut Engine, now: Instant, error: LocalError) {
        let probe = engine.poll_probe(now).unwrap();
        engine.handle_local_error(now, probe.id, error);
    }

    #[test]
    fn a_window_without_a_limit_widens_no_further() {
        let now = Instant::now();
        let mut engine = engine(now);
        engine.config.max_in_flight = usize::MAX;
        engine.window = usize::MAX - 1;
        for _ in 0..2 {
            engine.widen();
            assert_eq!(engine.window, usize::MAX);
        }
    }

    #[test]
    fn patience_begins_anew_with_whatever_is_found() {
        let start = Instant::now();
        let mut engine = engine(start);
        refuse(&mut engine, start, LocalError::Buffers);
        let later = start + RESOURCE_PATIENCE.mul_f64(0.9);
        refuse(&mut engine, later, LocalError::NoRoute);
        refuse(&mut engine, later, LocalError::Buffers);
        let last = later + RESOURCE_PATIENCE.mul_f64(0.9);
        refuse(&mut engine, last, LocalError::Buffers);
        assert!(!engine.is_idle(), "a port was judged meanwhile");
        refuse(&mut engine, later + RESOURCE_PATIENCE, LocalError::Buffers);
        assert!(engine.is_idle());
        let events: Vec<_> = std::iter::from_fn(|| engine.poll_event()).collect();
        let [.., EngineEvent::Port { report, .. }, EngineEvent::Stalled] = events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(report.reason, Reason::NoBuffers);
    }
}
