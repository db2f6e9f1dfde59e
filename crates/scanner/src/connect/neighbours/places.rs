//! How many neighbours the kernel may be made to look for at once. Pure.
//!
//! Its table of neighbours has room for so many (`gc_thresh3` in ip-sysctl). One that it looks for, and one
//! that changed within the last five seconds, cannot be pushed out (`neigh_forced_gc` in
//! `net/core/neighbour.c`); where the table is full of those, a packet for yet another one is dropped, and
//! over TCP nobody is told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::raw::Hop;

/// For so long a neighbour cannot be pushed out of the table.
const HELD: Duration = Duration::from_secs(5);
/// Neighbours that are remembered as found.
const MOST_FOUND: usize = 1 << 16;
/// However small the table is, so many are looked for.
const LEAST: usize = 64;

/// What became of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It answered.
    Found,
    /// It did not, and can be pushed out of the table.
    Given,
    /// That is open.
    Open,
}

/// The places of one family, shared by all workers of a scan.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: HashMap<Hop, Instant>,
    /// In order of time; out of date where the hop has another time, or no place.
    order: VecDeque<(Instant, Hop)>,
    found: HashSet<Hop>,
    /// In order of time.
    found_order: VecDeque<Hop>,
}

impl Places {
    /// For a table that has room for `room` neighbours. A quarter is left free: other programs look for
    /// neighbours, too.
    pub(super) fn new(room: usize) -> Self {
        Self {
            most: (room - room / 4).max(LEAST),
            taken: HashMap::new(),
            order: VecDeque::new(),
            found: HashSet::new(),
            found_order: VecDeque::new(),
        }
    }

    /// Somebody is in the table already, unchanged for so long. Past [`HELD`] whoever is needed pushes it
    /// out.
    pub(super) fn meet(&mut self, now: Instant, hop: Hop, fate: Fate, unchanged: Duration) {
        if fate == Fate::Found {
            self.find(hop);
        }
        let since = now.checked_sub(unchanged).filter(|_| unchanged < HELD);
        if let Some(since) = since.filter(|_| fate != Fate::Given) {
            self.taken.insert(hop, since);
            self.order.push_back((since, hop));
        }
    }

    /// Everybody was met.
    pub(super) fn sort(&mut self) {
        self.order.make_contiguous().sort_unstable_by_key(|(since, _)| *since);
    }

    /// Whether a packet for `hop` may go: it is found, or has a place, or takes one now.
    pub(super) fn admit(&mut self, now: Instant, hop: Hop) -> bool {
        if self.found.contains(&hop) || self.taken.contains_key(&hop) {
            return true;
        }
        while let Some((at, old)) =
            self.order.pop_front_if(|(at, _)| now.saturating_duration_since(*at) >= HELD)
        {
            if self.taken.get(&old) == Some(&at) {
                self.taken.remove(&old);
            }
        }
        if self.taken.len() >= self.most {
            return false;
        }
        self.taken.insert(hop, now);
        self.order.push_back((now, hop));
        true
    }

    /// Learns what became of those that have a place.
    pub(super) fn learn(&mut self, fate_of: impl Fn(&Hop) -> Fate) {
        let mut found = Vec::new();
        self.taken.retain(|hop, _| {
            let fate = fate_of(hop);
            if fate == Fate::Found {
                found.push(*hop);
            }
            fate != Fate::Given
        });
        for hop in found {
            self.find(hop);
        }
    }

    /// The neighbour answered.
    pub(super) fn find(&mut self, hop: Hop) {
        if !self.found.insert(hop) {
            return;
        }
        self.found_order.push_back(hop);
        while self.found_order.len() > MOST_FOUND {
            if let Some(oldest) = self.found_order.pop_front() {
                self.found.remove(&oldest);
            }
        }
    }

    /// The neighbour answers no more.
    pub(super) fn lose(&mut self, hop: Hop) {
        if self.found.remove(&hop) {
            self.found_order.retain(|other| *other != hop);
        }
    }

    pub(super) fn is_found(&self, hop: Hop) -> bool {
        self.found.contains(&hop)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn hop(number: u32) -> Hop {
        Hop { interface: 3, address: IpAddr::from(number.to_be_bytes()) }
    }

    #[test]
    fn no_more_are_looked_for_than_the_table_holds() {
        let start = Instant::now();
        let mut places = Places::new(1_024);
        let admitted = (0..4_096).filter(|number| places.admit(start, hop(*number))).count();
        assert_eq!(admitted, 768);
        assert!(places.admit(start, hop(0)), "it has its place");
        assert!(!places.admit(start, hop(4_000)));
        assert!(places.admit(start + HELD, hop(4_000)));
        assert_eq!(Places::new(16).most, LEAST);
    }

    #[test]
    fn who_is_given_up_makes_room_and_who_is_found_needs_none() {
        let start = Instant::now();
        let mut places = Places::new(256);
        (0..192).for_each(|number| assert!(places.admit(start, hop(number))));
        assert!(!places.admit(start, hop(200)));
        places.learn(|known| match known {
            known if *known == hop(1) => Fate::Given,
            known if *known == hop(2) => Fate::Found,
            _ => Fate::Open,
        });
        assert!(places.admit(start, hop(200)));
        assert!(!places.admit(start, hop(201)), "who is found stays in the table for a while");
        assert!(places.is_found(hop(2)) && places.admit(start + 2 * HELD, hop(2)));
        places.lose(hop(2));
        assert!(!places.is_found(hop(2)));
    }

    #[test]
    fn who_was_there_before_makes_room_when_it_can_be_pushed_out() {
        let mut places = Places::new(256);
        let start = Instant::now() + HELD;
        (0..100).for_each(|number| places.meet(start, hop(number), Fate::Found, HELD));
        (100..150).for_each(|number| places.meet(start, hop(number), Fate::Open, HELD / 2));
        (150..160).for_each(|number| places.meet(start, hop(number), Fate::Given, HELD / 4));
        places.meet(start, hop(160), Fate::Found, Duration::ZERO);
        places.sort();
        assert!(places.admit(start, hop(0)) && places.admit(start, hop(160)));
        let admitted = (200..600).filter(|number| places.admit(start, hop(*number))).count();
        assert_eq!(admitted, 192 - 51);
        let later = start + HELD / 2;
        let admitted = (600..900).filter(|number| places.admit(later, hop(*number))).count();
        assert_eq!(admitted, 50);
    }

    #[test]
    fn what_is_remembered_of_the_found_is_bounded() {
        let mut places = Places::new(1_024);
        (0..MOST_FOUND as u32 + 10).for_each(|number| places.find(hop(number)));
        assert_eq!(places.found.len(), MOST_FOUND);
        assert!(!places.is_found(hop(9)) && places.is_found(hop(10)));
    }
}
