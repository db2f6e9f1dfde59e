//! Probes that wait for their next hop to say who it is.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::neighbours::Hop;
use crate::engine::{Probe, ProbeId};

/// A question may be lost: so long after the first probe for a hop began to wait it is repeated.
const FIRST_REPEAT: Duration = Duration::from_millis(250);
/// And so often after that, as the kernel does (`RETRANS_TIMER`, RFC 4861 section 10).
const NEXT_REPEAT: Duration = Duration::from_secs(1);

/// The probes that wait, by hop. As many at most as the engine has in flight.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// By [`ProbeId::index`]: the latest attempt.
    probes: HashMap<u32, (Hop, Probe)>,
    queues: HashMap<Hop, Queue>,
    /// When to ask again for which hop, in order of time; out of date where its queue says another
    /// time, or is gone.
    first_repeats: VecDeque<(Instant, Hop)>,
    next_repeats: VecDeque<(Instant, Hop)>,
}

#[derive(Debug)]
struct Queue {
    /// The slots that wait: never none.
    slots: BTreeSet<u32>,
    repeat_at: Instant,
}

impl Parked {
    /// Keeps `probe` until [`Self::release`]; a probe of the same slot that waited is forgotten.
    pub(super) fn park(&mut self, now: Instant, hop: Hop, probe: Probe) {
        let slot = probe.id.index();
        if let Some((_, before)) = self.probes.get(&slot) {
            self.forget(before.id);
        }
        let first_repeats = &mut self.first_repeats;
        let queue = self.queues.entry(hop).or_insert_with(|| {
            let repeat_at = now + FIRST_REPEAT;
            first_repeats.push_back((repeat_at, hop));
            Queue { slots: BTreeSet::new(), repeat_at }
        });
        queue.slots.insert(slot);
        self.probes.insert(slot, (hop, probe));
    }

    /// A probe that waited needs to no more.
    pub(super) fn forget(&mut self, id: ProbeId) {
        let Some((hop, probe)) = self.probes.get(&id.index()) else { return };
        if probe.id != id {
            return;
        }
        if let Some(queue) = self.queues.get_mut(hop) {
            queue.slots.remove(&id.index());
            if queue.slots.is_empty() {
                self.queues.remove(hop);
            }
        }
        self.probes.remove(&id.index());
    }

    /// The probes that waited for `hop`: it is known now, or given up.
    pub(super) fn release(&mut self, hop: Hop) -> Vec<Probe> {
        let slots = self.queues.remove(&hop).map(|queue| queue.slots).unwrap_or_default();
        let probe_of = |slot| self.probes.remove(&slot).map(|(_, probe)| probe);
        slots.into_iter().filter_map(probe_of).collect()
    }

    /// A hop to ask for again, with a probe that waits for it. Those that are not `is_live` any more
    /// are forgotten.
    pub(super) fn poll_repeat(
        &mut self,
        now: Instant,
        is_live: impl Fn(&Probe) -> bool,
    ) -> Option<(Hop, Probe)> {
        loop {
            let hop = self.poll_due(now)?;
            let Some(probe) = self.first_live(hop, &is_live) else { continue };
            if let Some(queue) = self.queues.get_mut(&hop) {
                queue.repeat_at = now + NEXT_REPEAT;
                self.next_repeats.push_back((queue.repeat_at, hop));
            }
            return Some((hop, probe));
        }
    }

    fn poll_due(&mut self, now: Instant) -> Option<Hop> {
        for repeats in [&mut self.first_repeats, &mut self.next_repeats] {
            while let Some((at, hop)) = repeats.pop_front_if(|(at, _)| *at <= now) {
                if self.queues.get(&hop).is_some_and(|queue| queue.repeat_at == at) {
                    return Some(hop);
                }
            }
        }
        None
    }

    fn first_live(&mut self, hop: Hop, is_live: impl Fn(&Probe) -> bool) -> Option<Probe> {
        loop {
            let slot = self.queues.get(&hop)?.slots.first()?;
            let probe = self.probes.get(slot)?.1;
            if is_live(&probe) {
                return Some(probe);
            }
            self.forget(probe.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::engine::{Engine, EngineConfig};
    use crate::plan::ScanPlan;
    use crate::target::AddressSet;

    const HOP: Hop = Hop { interface: 3, address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST) };

    /// Ids are made by an engine only.
    fn probes(now: Instant, count: u64) -> Vec<Probe> {
        let address = AddressSet::from(IpAddr::from([192, 0, 2, 1]));
        let ports = "1-100".parse().unwrap();
        let plan = ScanPlan::new(&address, &ports, ports_core::Transport::Tcp, 0).unwrap();
        let mut engine = Engine::new(now, plan.into(), EngineConfig::default());
        engine.add_work(0..count);
        std::iter::from_fn(|| engine.poll_probe(now)).collect()
    }

    #[test]
    fn the_question_is_repeated_while_somebody_waits() {
        let now = Instant::now();
        let mut parked = Parked::default();
        let probes = probes(now, 2);
        for probe in &probes {
            parked.park(now, HOP, *probe);
        }
        assert_eq!(parked.poll_repeat(now, |_| true), None);
        let first = now + FIRST_REPEAT;
        assert_eq!(parked.poll_repeat(first, |_| true), Some((HOP, probes[0])));
        assert_eq!(parked.poll_repeat(first, |_| true), None, "once for all who wait");
        let next = first + NEXT_REPEAT;
        let is_live = |probe: &Probe| probe.id != probes[0].id;
        assert_eq!(parked.poll_repeat(next, is_live), Some((HOP, probes[1])));
        assert_eq!(parked.release(HOP), [probes[1]], "the other needs to wait no more");
        assert_eq!(parked.poll_repeat(next + NEXT_REPEAT, |_| true), None);
    }

    #[test]
    fn who_waits_anew_has_one_question_and_not_two() {
        let now = Instant::now();
        let mut parked = Parked::default();
        let probe = probes(now, 1)[0];
        parked.park(now, HOP, probe);
        let later = now + FIRST_REPEAT / 2;
        parked.forget(probe.id);
        parked.park(later, HOP, probe);
        assert_eq!(parked.poll_repeat(now + FIRST_REPEAT, |_| true), None);
        let both = later + FIRST_REPEAT;
        assert_eq!(parked.poll_repeat(both, |_| true), Some((HOP, probe)));
        assert_eq!(parked.poll_repeat(both, |_| true), None);
        parked.forget(probe.id);
        assert!(parked.release(HOP).is_empty() && parked.queues.is_empty());
    }
}
