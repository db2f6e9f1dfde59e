//! A timer wheel: deadlines by slot, set and cancelled in constant time.

use std::time::{Duration, Instant};

/// One tick of the wheel; a deadline is met at most this much late.
const TICK: Duration = Duration::from_millis(1);
/// Ticks of one turn. Deadlines further out wait for later turns in the same slot.
const SLOTS: usize = 2_048;
const NONE: u32 = u32::MAX;

/// Timers numbered by the caller, from 0; each is set at most once at a time.
#[derive(Debug)]
pub(super) struct TimerWheel {
    start: Instant,
    /// The first tick not looked at yet.
    current: u64,
    heads: Box<[u32]>,
    occupied: [u64; SLOTS / 64],
    timers: Vec<Timer>,
    armed: usize,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    deadline: u64,
    next: u32,
    previous: u32,
    armed: bool,
}

impl TimerWheel {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            current: 0,
            heads: vec![NONE; SLOTS].into_boxed_slice(),
            occupied: [0; SLOTS / 64],
            timers: Vec::new(),
            armed: 0,
        }
    }

    /// Arms timer `id` for `deadline`, instead of the one before if it was armed.
    pub(super) fn arm(&mut self, id: u32, deadline: Instant) {
        let index = id as usize;
        if index >= self.timers.len() {
            let idle = Timer { deadline: 0, next: NONE, previous: NONE, armed: false };
            self.timers.resize(index + 1, idle);
        }
        // Twice in a list would make the list endless.
        self.disarm(id);
        // Rounded up: a timer never goes off early. What is due already waits for the next look.
        let deadline = self.tick_after(deadline).max(self.current);
        let slot = (deadline % SLOTS as u64) as usize;
        let head = self.heads[slot];
        if head != NONE {
            self.timers[head as usize].previous = id;
        }
        self.timers[index] = Timer { deadline, next: head, previous: NONE, armed: true };
        self.heads[slot] = id;
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.armed += 1;
    }

    /// Disarms timer `id`, if it is armed.
    pub(super) fn disarm(&mut self, id: u32) {
        let Some(timer) = self.timers.get(id as usize).copied().filter(|timer| timer.armed) else {
            return;
        };
        let slot = (timer.deadline % SLOTS as u64) as usize;
        if timer.previous == NONE {
            self.heads[slot] = timer.next;
            if timer.next == NONE {
                self.occupied[slot / 64] &= !(1 << (slot % 64));
            }
        } else {
            self.timers[timer.previous as usize].next = timer.next;
        }
        if timer.next != NONE {
            self.timers[timer.next as usize].previous = timer.previous;
        }
        self.timers[id as usize].armed = false;
        self.armed -= 1;
    }

    /// Puts every timer that is due into `due`, disarmed.
    pub(super) fn expire(&mut self, now: Instant, due: &mut Vec<u32>) {
        let last = (now.saturating_duration_since(self.start).as_nanos() / TICK.as_nanos()) as u64;
        if last < self.current {
            return;
        }
        let first_due = due.len();
        // After a long sleep one turn looks at every slot.
        for tick in self.current..=last.min(self.current + SLOTS as u64 - 1) {
            let mut id = self.heads[(tick % SLOTS as u64) as usize];
            while id != NONE {
                let timer = self.timers[id as usize];
                if timer.deadline <= last {
                    due.push(id);
                }
                id = timer.next;
            }
        }
        self.current = last + 1;
        for id in &due[first_due..] {
            self.disarm(*id);
        }
    }

    /// When to look again: no timer is due before. `None` where none is armed.
    pub(super) fn next_look(&self) -> Option<Instant> {
        if self.armed == 0 {
            return None;
        }
        let from = (self.current % SLOTS as u64) as usize;
        let ahead = (0..=SLOTS)
            .step_by(64)
            .find_map(|step| {
                let word = ((from + step) / 64) % self.occupied.len();
                // The first word is looked at from `from` on, and whole on the way round.
                let skip = if step == 0 { from % 64 } else { 0 };
                let bits = self.occupied[word] >> skip << skip;
                let slot = word * 64 + bits.trailing_zeros() as usize;
                (bits != 0).then(|| (slot + SLOTS - from) % SLOTS)
            })
            .unwrap_or(0);
        Some(self.start + TICK * u32::try_from(self.current + ahead as u64).unwrap_or(u32::MAX))
    }

    fn tick_after(&self, instant: Instant) -> u64 {
        instant.saturating_duration_since(self.start).as_nanos().div_ceil(TICK.as_nanos()) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Arm(u32, u64),
        Disarm(u32),
        Advance(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u32..40, 0_u64..6_000_000).prop_map(|(id, after)| Step::Arm(id, after)),
            (0_u32..40).prop_map(Step::Disarm),
            (0_u64..3_000_000).prop_map(Step::Advance),
        ]
    }

    proptest! {
        /// Against a map of deadlines: never early, at most one tick late, none lost.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec(step(), 0..120)) {
            let start = Instant::now();
            let (mut wheel, mut model, mut now) = (TimerWheel::new(start), BTreeMap::new(), start);
            for step in steps {
                match step {
                    Step::Arm(id, after) if !model.contains_key(&id) => {
                        let deadline = now + Duration::from_micros(after);
                        wheel.arm(id, deadline);
                        model.insert(id, deadline);
                    }
                    Step::Arm(..) => {}
                    Step::Disarm(id) => {
                        wheel.disarm(id);
                        model.remove(&id);
                    }
                    Step::Advance(by) => {
                        now += Duration::from_micros(by);
                        let mut due = Vec::new();
                        wheel.expire(now, &mut due);
                        for id in due {
                            prop_assert!(model.remove(&id).is_some_and(|deadline| deadline <= now));
                        }
                        for deadline in model.values() {
                            prop_assert!(*deadline + 2 * TICK > now, "a timer is overdue");
                        }
                    }
                }
                prop_assert_eq!(wheel.armed, model.len());
                match (wheel.next_look(), model.values().min()) {
                    (Some(look), Some(first)) => prop_assert!(look <= *first + 2 * TICK),
                    (look, first) => prop_assert_eq!(look.is_some(), first.is_some()),
                }
            }
        }
    }

    #[test]
    fn the_next_look_is_exact_within_a_turn() {
        let start = Instant::now();
        let mut wheel = TimerWheel::new(start);
        wheel.arm(0, start + 1_500 * TICK);
        assert_eq!(wheel.next_look(), Some(start + 1_500 * TICK));
        wheel.arm(1, start + 70 * TICK);
        assert_eq!(wheel.next_look(), Some(start + 70 * TICK));
        wheel.disarm(1);
        wheel.disarm(0);
        assert_eq!(wheel.next_look(), None);
    }
}
