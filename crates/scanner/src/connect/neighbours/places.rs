//! How many neighbours the kernel may be made to look for at once. Pure.
//!
//! Its table of neighbours has room for so many (`gc_thresh3` in ip-sysctl). Only those that failed can be
//! pushed out at once, and who was found when that is long enough ago that the kernel would ask again
//! (`neigh_forced_gc` in `net/core/neighbour.c`: a running timer keeps an entry, and so does a change within
//! the last five seconds). Where the table is full of others, a packet for yet another neighbour is dropped,
//! and over TCP nobody is told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::raw::Hop;

/// For so long after a change a neighbour cannot be pushed out of the table.
const HELD: Duration = Duration::from_secs(5);
/// Neighbours that are remembered as found.
const MOST_FOUND: usize = 1 << 16;
/// However small the table is, so many are looked for.
const LEAST: usize = 64;
/// What is left free for other programs, who look for neighbours, too: this part of the table, ...
const FREE: usize = 4;
/// ... and where no place was left for as long as [`HELD`], this part.
const LEAST_FREE: usize = 64;

/// What became of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It answered not long ago.
    Found,
    /// It answered, and would be asked again; unchanged for so long.
    Idle(Duration),
    /// It did not, and can be pushed out of the table.
    Given,
    /// That is open.
    Open,
}

impl Fate {
    pub(super) const fn is_found(self) -> bool {
        matches!(self, Self::Found | Self::Idle(_))
    }

    /// Whether it cannot be pushed out of the table.
    fn has_place(self) -> bool {
        match self {
            Self::Found | Self::Open => true,
            Self::Idle(unchanged) => unchanged < HELD,
            Self::Given => false,
        }
    }
}

/// The places of one family, shared by all workers of a scan.
#[derive(Debug)]
pub(super) struct Places {
    room: usize,
    /// Those that cannot be pushed out, and since when that was true at least.
    taken: HashMap<Hop, Instant>,
    /// Those that were in the table, and answered, when it was read last.
    present: HashSet<Hop>,
    /// Since when nobody could be admitted.
    full: Option<Instant>,
    found: HashSet<Hop>,
    /// In order of time.
    found_order: VecDeque<Hop>,
}

impl Places {
    /// For a table that has room for `room` neighbours.
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            taken: HashMap::new(),
            present: HashSet::new(),
            full: None,
            found: HashSet::new(),
            found_order: VecDeque::new(),
        }
    }

    /// Whether a packet for `hop` may go: it is in the table, or has a place, or takes one now.
    pub(super) fn admit(&mut self, now: Instant, hop: Hop) -> bool {
        if self.present.contains(&hop) || self.taken.contains_key(&hop) {
            return true;
        }
        let is_long = |since| now.saturating_duration_since(since) >= HELD;
        let free = if self.full.is_some_and(is_long) { LEAST_FREE } else { FREE };
        if self.taken.len() >= (self.room - self.room / free).max(LEAST) {
            self.full.get_or_insert(now);
            return false;
        }
        self.taken.insert(hop, now);
        true
    }

    /// Learns what is in the table now.
    pub(super) fn learn(&mut self, now: Instant, table: impl Iterator<Item = (Hop, Fate)>) {
        let before = self.taken.len();
        self.present.clear();
        let mut seen = HashSet::new();
        for (hop, fate) in table {
            seen.insert(hop);
            if fate.is_found() {
                self.present.insert(hop);
                self.find(hop);
            }
            if fate.has_place() {
                self.taken.entry(hop).or_insert(now);
            } else {
                self.taken.remove(&hop);
            }
        }
        // Who took a place may not have got there yet.
        self.taken.retain(|hop, since| {
            seen.contains(hop) || now.saturating_duration_since(*since) < HELD
        });
        if self.taken.len() < before {
            self.full = None;
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
        self.present.remove(&hop);
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
        let later = start + HELD;
        places.learn(later, std::iter::empty());
        assert!(places.admit(later, hop(4_000)), "the table knows nothing of the others");
        let mut small = Places::new(16);
        assert_eq!((0..100).filter(|number| small.admit(start, hop(*number))).count(), LEAST);
    }

    #[test]
    fn who_can_be_pushed_out_makes_room() {
        let start = Instant::now();
        let mut places = Places::new(256);
        (0..192).for_each(|number| assert!(places.admit(start, hop(number))));
        let fate_of = |number| match number {
            1 => Fate::Given,
            2 => Fate::Idle(HELD),
            3 => Fate::Idle(HELD / 2),
            4 => Fate::Found,
            _ => Fate::Open,
        };
        // Others are looked for and found, too.
        let table = || (0..194).map(|number| (hop(number), fate_of(number)));
        places.learn(start, table());
        assert!(places.is_found(hop(4)) && places.admit(start, hop(2)));
        assert!(!places.admit(start, hop(200)));
        places.learn(start + HELD, table().filter(|(at, _)| *at != hop(193)));
        assert!(places.admit(start + HELD, hop(200)));
        assert!(!places.admit(start + HELD, hop(201)));
        places.lose(hop(2));
        assert!(!places.is_found(hop(2)) && !places.admit(start + HELD, hop(2)));
    }

    #[test]
    fn where_nobody_makes_room_more_of_the_table_is_used() {
        let start = Instant::now();
        let mut places = Places::new(1_024);
        let table = |count| (0..count).map(|number| (hop(number), Fate::Found));
        places.learn(start, table(768));
        assert!(!places.admit(start, hop(1_000)));
        places.learn(start + HELD, table(768));
        let admitted =
            (1_000..2_000).filter(|number| places.admit(start + HELD, hop(*number))).count();
        assert_eq!(admitted, 1_024 - 16 - 768);
    }

    #[test]
    fn what_is_remembered_of_the_found_is_bounded() {
        let mut places = Places::new(1_024);
        (0..MOST_FOUND as u32 + 10).for_each(|number| places.find(hop(number)));
        assert_eq!(places.found.len(), MOST_FOUND);
        assert!(!places.is_found(hop(9)) && places.is_found(hop(10)));
    }
}
