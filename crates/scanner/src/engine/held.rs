//! Probes that cannot leave yet: something of this machine has to be found out, or to become free, first.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Engine, ProbeId, Silence};

impl Engine {
    /// The probe waits for its neighbour to be found. Until [`note_departed`](Self::note_departed) it counts
    /// neither as sent nor as lost; where it waits as long as the silence of a port is worth,
    /// [`handle_silence`](Self::handle_silence) asks why. Ignored for an attempt that is over.
    pub fn hold_for_neighbour(&mut self, now: Instant, id: ProbeId) {
        if !self.hold(id) {
            return;
        }
        if let Some(slot) = self.slots.find(id).copied() {
            let (wait, _) = self.timeout_of(&slot, 1);
            self.timers.arm(id.index(), now + wait);
        }
    }

    /// The probe waits for room on this machine, for as long as it takes: the driver sees to it that it
    /// leaves, or fails. Else as [`hold_for_neighbour`](Self::hold_for_neighbour).
    pub fn hold_for_room(&mut self, id: ProbeId) {
        let was_held = self.is_held(id);
        if self.hold(id) {
            self.timers.disarm(id.index());
            if !was_held {
                self.pacer.kept_back();
            }
        }
    }

    /// Whether the probe still waits to leave.
    #[must_use]
    pub fn is_held(&self, id: ProbeId) -> bool {
        self.slots.at(id.index(), id.attempt()).is_some_and(|(found, slot)| {
            found == id && slot.in_flight && slot.attempts == id.attempt() && slot.is_held()
        })
    }

    /// What held the probe back is gone. Whether it is to leave now; else it waits no more, or comes
    /// again from [`poll_probe`](Self::poll_probe), as soon as its turn comes: a ceiling holds for those
    /// that waited together, too.
    #[must_use]
    pub fn release(&mut self, now: Instant, id: ProbeId) -> bool {
        if !self.is_held(id) {
            return false;
        }
        if self.pacer.may_depart(now) {
            self.note_departed(now, id);
            return true;
        }
        self.end_attempt(id);
        self.try_anew(id);
        false
    }

    fn try_anew(&mut self, id: ProbeId) {
        if let Some(slot) = self.slots.find(id) {
            (slot.attempts, slot.held) = (slot.attempts - 1, 0);
        }
        self.ready.push_back(id);
    }

    fn hold(&mut self, id: ProbeId) -> bool {
        let Some(slot) = self.slots.find(id) else { return false };
        if !slot.in_flight || slot.attempts != id.attempt() {
            return false;
        }
        if !slot.is_held() {
            slot.held = 1;
            self.pacer.unsent();
            self.tally.sent -= 1;
        }
        true
    }

    /// The probe left only now: its wait begins anew, and if it was held back it counts from here.
    pub fn note_departed(&mut self, now: Instant, id: ProbeId) {
        let Some(slot) = self.slots.find(id) else { return };
        if !slot.in_flight || slot.attempts != id.attempt() {
            return;
        }
        slot.begin_attempt(now, id.attempt());
        let was_held = std::mem::take(&mut slot.held) > 0;
        let slot = *slot;
        if was_held {
            self.pacer.departed();
            self.tally.sent += 1;
        }
        let (wait, as_last) = self.timeout_of(&slot, id.attempt());
        if let Some(slot) = self.slots.find(id) {
            slot.as_last = as_last;
        }
        self.timers.arm(id.index(), now + wait);
    }

    /// A probe that was held back has waited once more.
    pub(super) fn held_long(
        &mut self,
        now: Instant,
        id: ProbeId,
        meaning: &mut impl FnMut(SocketAddr) -> Silence,
    ) {
        let Some(slot) = self.slots.find(id).copied() else { return };
        // What was asked before counts, too.
        let asked = self.round_of(slot.target, slot.attempts).saturating_sub(1);
        let (waits, needed) = (asked + u32::from(slot.held), self.worth(now, &slot));
        if waits < needed {
            let wait = self.wait_for(&slot, waits + 1, waits + 1 == needed);
            if let Some(slot) = self.slots.find(id) {
                slot.held = slot.held.saturating_add(1);
            }
            self.timers.arm(id.index(), now + wait);
            return;
        }
        self.end_attempt(id);
        self.expired.push_back(id);
        match meaning(slot.target) {
            Silence::Local(error) => {
                self.widen();
                self.uncount_unsent(&slot, error);
                self.conclude(id, error.reason(), None);
            }
            // Nothing keeps it back any more: it is tried anew.
            Silence::Remote(_) => self.try_anew(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::{EngineConfig, EngineEvent, LocalError, Reply};
    use crate::plan::ScanPlan;
    use crate::state::{PortReport, Reason};
    use crate::target::AddressSet;

    const SECOND: Duration = Duration::from_secs(1);

    fn engine(now: Instant) -> Engine {
        engine_at(now, None, 0..1)
    }

    fn engine_at(now: Instant, rate: Option<u32>, work: std::ops::Range<u64>) -> Engine {
        let address = AddressSet::from(std::net::IpAddr::from([192, 0, 2, 1]));
        let ports = "80,81".parse().unwrap();
        let plan = ScanPlan::new(&address, &ports, ports_core::Transport::Tcp, 0).unwrap();
        let config = EngineConfig { retries: Some(1), rate, ..EngineConfig::default() };
        let mut engine = Engine::new(now, plan.into(), config);
        engine.add_work(work);
        engine
    }

    fn report(engine: &mut Engine) -> Option<PortReport> {
        std::iter::from_fn(|| engine.poll_event()).find_map(|event| match event {
            EngineEvent::Port { report, .. } => Some(report),
            _ => None,
        })
    }

    #[test]
    fn what_waits_for_its_neighbour_counts_when_it_leaves() {
        let start = Instant::now();
        let mut engine = engine(start);
        let probe = engine.poll_probe(start).unwrap();
        engine.hold_for_neighbour(start, probe.id);
        engine.hold_for_neighbour(start, probe.id);
        assert_eq!(engine.tally().sent, 0);
        engine.handle_timeout(start + SECOND, |_| None);
        assert_eq!((engine.poll_expired(), engine.poll_probe(start + SECOND)), (None, None));
        let left = start + SECOND + SECOND / 2;
        engine.note_departed(left, probe.id);
        assert_eq!(engine.tally().sent, 1);
        engine.handle_reply(left + SECOND / 4, probe.id, Reply::Closed);
        let report = report(&mut engine).unwrap();
        assert_eq!((report.attempts, report.rtt), (1, Some(SECOND / 4)));
        assert_eq!(engine.tally().sent, 1);
    }

    #[test]
    fn a_neighbour_that_is_not_there_is_waited_for_as_long_as_a_silent_port() {
        let mut now = Instant::now();
        let mut engine = engine(now);
        let probe = engine.poll_probe(now).unwrap();
        engine.hold_for_neighbour(now, probe.id);
        for wait in 1..=2 {
            assert_eq!(engine.poll_event(), None, "wait {wait}");
            now += SECOND;
            engine.handle_timeout(now, |_| Some(LocalError::NeighbourUnresolved));
        }
        let report = report(&mut engine).unwrap();
        assert_eq!((report.reason, report.attempts), (Reason::NeighbourUnresolved, 1));
        assert_eq!((engine.tally().sent, engine.is_idle()), (0, true));
        assert_eq!(engine.poll_expired(), Some(probe.id));
    }

    #[test]
    fn what_nothing_keeps_back_any_more_is_tried_anew() {
        let mut now = Instant::now();
        let mut engine = engine(now);
        let probe = engine.poll_probe(now).unwrap();
        engine.hold_for_neighbour(now, probe.id);
        for _ in 0..2 {
            now += SECOND;
            engine.handle_timeout(now, |_| None);
        }
        assert_eq!(engine.poll_probe(now), Some(probe));
        assert_eq!(engine.tally().sent, 1);
    }

    #[test]
    fn a_ceiling_holds_for_those_that_waited_together() {
        let start = Instant::now();
        let mut engine = engine_at(start, Some(10), 0..2);
        let first = engine.poll_probe(start).unwrap();
        engine.hold_for_room(first.id);
        let second = engine.poll_probe(start).expect("nothing left: it is another one's turn");
        engine.hold_for_room(second.id);
        let later = start + SECOND;
        assert!(engine.release(later, first.id));
        assert!(!engine.release(later, first.id), "it has left");
        assert!(!engine.release(later, second.id) && !engine.is_held(second.id));
        assert_eq!((engine.poll_probe(later), engine.tally().sent), (None, 1));
        let next = later + SECOND / 5;
        assert_eq!(engine.poll_probe(next), Some(second));
        assert_eq!(engine.tally().sent, 2);
    }

    #[test]
    fn what_waits_for_room_waits_as_long_as_it_takes() {
        let start = Instant::now();
        let mut engine = engine(start);
        let probe = engine.poll_probe(start).unwrap();
        engine.hold_for_room(probe.id);
        let late = start + 100 * SECOND;
        engine.handle_timeout(late, |_| panic!("it is not silent"));
        assert_eq!((engine.poll_event(), engine.is_idle(), engine.tally().sent), (None, false, 0));
        engine.handle_local_error(late, probe.id, LocalError::Buffers);
        assert_eq!(engine.tally().sent, 0);
        let again = engine.poll_probe(late + SECOND).unwrap();
        assert_eq!((again, engine.tally().sent), (probe, 1));
        engine.handle_timeout(late + 2 * SECOND, |_| None);
        assert_eq!(engine.poll_expired(), Some(probe.id), "it left, so it is waited for");
    }
}
